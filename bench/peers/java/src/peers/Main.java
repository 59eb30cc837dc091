// HikariCP in the scenarios of our connection pool; see ../../../../conns for what each one is.
//
// SPDX-License-Identifier: Apache-2.0
package peers;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

public final class Main {
    private static final int PAIRS = 100_000; // per CPU that is used
    private static final int CHUNK = 1_000;

    public static void main(String[] arguments) throws Exception {
        Hold.makeSleepExact();
        // For all measurements: to make one and to end one takes long.
        HikariDataSource eight = fullPool(8);
        HikariDataSource ten = fullPool(10);
        List<Report.Row> rows = new ArrayList<>();
        for (int threads : new int[] {1, 2, 8})
            rows.add(new Report.Row("pair_" + threads + "t/HikariCP", __ -> pairs(threads, eight)));
        rows.add(new Report.Row("busy_32t/HikariCP", __ -> pairs(32, ten)));
        rows.add(new Report.Row("hold_32t/HikariCP", counters -> Hold.run(32, ten, counters)));
        Report.run(rows, arguments);
        System.exit(0); // whatever threads the pools have
    }

    private static HikariDataSource fullPool(int most) throws InterruptedException {
        HikariConfig config = new HikariConfig();
        config.setDataSource(new StubSource());
        config.setMaximumPoolSize(most);
        config.setMinimumIdle(most);
        config.setConnectionTimeout(TimeUnit.MINUTES.toMillis(1));
        config.setIdleTimeout(0); // never
        config.setMaxLifetime(0);
        config.setKeepaliveTime(0);
        HikariDataSource pool = new HikariDataSource(config);
        while (pool.getHikariPoolMXBean().getIdleConnections() < most)
            Thread.sleep(1);
        return pool;
    }

    private static double pairs(int threads, HikariDataSource pool) throws Exception {
        int count = PAIRS * Math.min(threads, 2);
        AtomicInteger begun = new AtomicInteger();
        return Team.run(threads, index -> {
            while (begun.getAndAdd(CHUNK) < count)
                makePairs(pool, CHUNK);
        }) / count;
    }

    private static void makePairs(HikariDataSource pool, int count) throws Exception {
        for (int i = 0; i < count; ++i) {
            Connection conn = pool.getConnection();
            conn.close();
        }
    }
}
