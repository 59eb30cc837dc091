// hold_<n>t: each holder sleeps; see ../../../../conns/hold.cpp.
//
// SPDX-License-Identifier: Apache-2.0
package peers;

import com.zaxxer.hikari.HikariDataSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

final class Hold {
    private static final int HOLDS = 20_000;
    private static final long HOLD = 100_000; // nanoseconds
    private static final long WAITED = 20_000; // who took longer to acquire has waited in line

    // A sleep of this thread and of those that it will start ends when asked to, not up to 50 us
    // later.
    static void makeSleepExact() {
        try {
            Path own = Files.readSymbolicLink(Path.of("/proc/thread-self")).getFileName();
            Files.writeString(Path.of("/proc", own.toString(), "timerslack_ns"), "1");
        } catch (IOException ignored) {
            // Then it sleeps for longer, which the counters show.
        }
    }

    private static void sleep(long begin) {
        for (long left = HOLD; left > 0; left = begin + HOLD - System.nanoTime())
            LockSupport.parkNanos(left);
    }

    // Nanoseconds per pair.
    static double run(int threads, HikariDataSource pool, Map<String, Double> counters)
            throws InterruptedException {
        int most = pool.getMaximumPoolSize();
        AtomicInteger begun = new AtomicInteger();
        AtomicLong held = new AtomicLong();
        long[] waits = new long[HOLDS];
        double time = Team.run(threads, index -> {
            long sum = 0;
            for (int i; (i = begun.getAndIncrement()) < HOLDS;) {
                long before = System.nanoTime();
                Connection conn = pool.getConnection();
                long begin = System.nanoTime();
                sleep(begin);
                sum += System.nanoTime() - begin;
                conn.close();
                waits[i] = begin - before;
            }
            held.addAndGet(sum);
        });
        long[] waited = Arrays.stream(waits).filter(wait -> wait > WAITED).sorted().toArray();
        counters.put("used", held.get() / (most * time));
        if (waited.length > 0) {
            counters.put("wait_median", (double) waited[waited.length / 2]);
            counters.put("wait_longest", (double) waited[waited.length - 1]);
        }
        return time / HOLDS;
    }
}
