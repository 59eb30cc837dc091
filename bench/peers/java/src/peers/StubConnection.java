// A connection that does nothing.
//
// SPDX-License-Identifier: Apache-2.0
package peers;

import java.sql.Array;
import java.sql.Blob;
import java.sql.CallableStatement;
import java.sql.Clob;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.NClob;
import java.sql.PreparedStatement;
import java.sql.SQLWarning;
import java.sql.SQLXML;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Struct;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Executor;

final class StubConnection implements Connection {
    // What a pool asks for.
    public boolean isValid(int timeout) { return true; }
    public boolean isClosed() { return false; }
    public void close() {}
    public void abort(Executor executor) {}
    public void clearWarnings() {}
    public boolean getAutoCommit() { return true; }
    public void setAutoCommit(boolean on) {}
    public void commit() {}
    public void rollback() {}
    public boolean isReadOnly() { return false; }
    public void setReadOnly(boolean on) {}
    public int getTransactionIsolation() { return TRANSACTION_READ_COMMITTED; }
    public void setTransactionIsolation(int level) {}
    public int getNetworkTimeout() { return 0; }
    public void setNetworkTimeout(Executor executor, int milliseconds) {}
    public String getCatalog() { return null; }
    public void setCatalog(String catalog) {}
    public String getSchema() { return null; }
    public void setSchema(String schema) {}

    // What nobody asks for here.
    public <T> T unwrap(Class<T> type) { return null; }
    public boolean isWrapperFor(Class<?> type) { return false; }
    public Statement createStatement() { return null; }
    public Statement createStatement(int type, int concurrency) { return null; }
    public Statement createStatement(int type, int concurrency, int hold) { return null; }
    public PreparedStatement prepareStatement(String sql) { return null; }
    public PreparedStatement prepareStatement(String sql, int keys) { return null; }
    public PreparedStatement prepareStatement(String sql, int[] columns) { return null; }
    public PreparedStatement prepareStatement(String sql, String[] columns) { return null; }
    public PreparedStatement prepareStatement(String sql, int type, int concurrency) {
        return null;
    }
    public PreparedStatement prepareStatement(String sql, int type, int concurrency, int hold) {
        return null;
    }
    public CallableStatement prepareCall(String sql) { return null; }
    public CallableStatement prepareCall(String sql, int type, int concurrency) { return null; }
    public CallableStatement prepareCall(String sql, int type, int concurrency, int hold) {
        return null;
    }
    public String nativeSQL(String sql) { return sql; }
    public DatabaseMetaData getMetaData() { return null; }
    public SQLWarning getWarnings() { return null; }
    public Map<String, Class<?>> getTypeMap() { return Map.of(); }
    public void setTypeMap(Map<String, Class<?>> map) {}
    public int getHoldability() { return 0; }
    public void setHoldability(int hold) {}
    public Savepoint setSavepoint() { return null; }
    public Savepoint setSavepoint(String name) { return null; }
    public void rollback(Savepoint savepoint) {}
    public void releaseSavepoint(Savepoint savepoint) {}
    public Clob createClob() { return null; }
    public Blob createBlob() { return null; }
    public NClob createNClob() { return null; }
    public SQLXML createSQLXML() { return null; }
    public Array createArrayOf(String type, Object[] elements) { return null; }
    public Struct createStruct(String type, Object[] attributes) { return null; }
    public void setClientInfo(String name, String value) {}
    public void setClientInfo(Properties properties) {}
    public String getClientInfo(String name) { return null; }
    public Properties getClientInfo() { return new Properties(); }
}
