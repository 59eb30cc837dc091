// A report in the form of Google Benchmark's JSON, so that run.py reads both alike.
//
// SPDX-License-Identifier: Apache-2.0
package peers;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

final class Report {
    interface Measure {
        // Nanoseconds of one operation. May add counters.
        double run(Map<String, Double> counters) throws Exception;
    }

    record Row(String name, Measure measure) {}

    private static final long WARM_UP = 400_000_000; // nanoseconds per row

    // Runs the rows that the command line names, `repetitions` times each and in a random order,
    // and prints the report. Before that, each runs until its code has been compiled.
    static void run(List<Row> rows, String[] arguments) throws Exception {
        Pattern filter = Pattern.compile("");
        int repetitions = 1;
        for (String argument : arguments) {
            String[] parts = argument.replaceFirst("^-+", "").split("=", 2);
            if (parts.length == 2 && parts[0].equals("filter"))
                filter = Pattern.compile(parts[1]);
            else if (parts.length == 2 && parts[0].equals("repetitions"))
                repetitions = Integer.parseInt(parts[1]);
            else
                throw new IllegalArgumentException("no such option: " + argument);
        }
        List<Row> order = new ArrayList<>();
        for (Row row : rows) {
            if (!filter.matcher(row.name).find())
                continue;
            order.addAll(Collections.nCopies(repetitions, row));
            long begin = System.nanoTime();
            while (System.nanoTime() - begin < WARM_UP)
                row.measure.run(new LinkedHashMap<>());
        }
        Collections.shuffle(order);
        List<String> lines = new ArrayList<>();
        for (Row row : order)
            lines.add(line(row));
        System.out.printf("{\"context\": {\"java\": \"java %s\"}, \"benchmarks\": [%s]}%n",
            System.getProperty("java.version"), String.join(",\n", lines));
    }

    private static String line(Row row) throws Exception {
        Map<String, Double> counters = new LinkedHashMap<>();
        double time = row.measure.run(counters);
        StringBuilder line = new StringBuilder();
        line.append(String.format(
            "{\"name\": \"%s\", \"run_type\": \"iteration\", \"time_unit\": \"ns\", "
            + "\"real_time\": %s", row.name, time));
        counters.forEach((key, value) -> line.append(String.format(", \"%s\": %s", key, value)));
        return line.append("}").toString();
    }
}
