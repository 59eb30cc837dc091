// Threads that do the same work at the same time; the Java side of support/team.h, with the same
// rule: the clock runs from the last arrival to the last end.
//
// SPDX-License-Identifier: Apache-2.0
package peers;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;

final class Team {
    interface Work {
        void run(int index) throws Exception;
    }

    private static final int SPINS = 2_000;

    private volatile long opened; // 0: not yet

    // Runs work.run(i) on `threads` new threads, i from 0. Nanoseconds.
    static double run(int threads, Work work) throws InterruptedException {
        return new Team().start(threads, work);
    }

    private double start(int threads, Work work) throws InterruptedException {
        AtomicInteger arrived = new AtomicInteger();
        long[] ends = new long[threads];
        Thread[] team = new Thread[threads];
        for (int i = 0; i < threads; ++i) {
            int index = i;
            team[i] = new Thread(() -> {
                if (arrived.incrementAndGet() == threads)
                    opened = System.nanoTime();
                for (int spins = 0; opened == 0; ++spins) {
                    if (spins > SPINS)
                        Thread.yield();
                    else
                        Thread.onSpinWait();
                }
                try {
                    work.run(index);
                } catch (Exception problem) {
                    problem.printStackTrace();
                    Runtime.getRuntime().halt(1);
                }
                ends[index] = System.nanoTime();
            });
            team[i].start();
        }
        for (Thread thread : team)
            thread.join();
        return Arrays.stream(ends).max().getAsLong() - opened;
    }
}
