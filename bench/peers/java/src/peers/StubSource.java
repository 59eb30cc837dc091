// Where the connections that do nothing come from.
//
// SPDX-License-Identifier: Apache-2.0
package peers;

import java.io.PrintWriter;
import java.sql.Connection;
import java.util.logging.Logger;
import javax.sql.DataSource;

final class StubSource implements DataSource {
    public Connection getConnection() { return new StubConnection(); }
    public Connection getConnection(String user, String password) { return getConnection(); }
    public PrintWriter getLogWriter() { return null; }
    public void setLogWriter(PrintWriter writer) {}
    public int getLoginTimeout() { return 0; }
    public void setLoginTimeout(int seconds) {}
    public Logger getParentLogger() { return null; }
    public <T> T unwrap(Class<T> type) { return null; }
    public boolean isWrapperFor(Class<?> type) { return false; }
}
