// A report in the form of Google Benchmark's JSON, so that run.py reads both alike.
//
// SPDX-License-Identifier: Apache-2.0
use regex_lite::Regex;
use std::time::SystemTime;

pub type Counters = Vec<(&'static str, f64)>;
type Measure = Box<dyn Fn(&mut Counters) -> f64>;

/// Measures once and says how many nanoseconds one operation took. It may add counters.
pub struct Row {
    name: String,
    measure: Measure,
}

impl Row {
    pub fn new(
        scenario: &str,
        peer: &str,
        measure: impl Fn(&mut Counters) -> f64 + 'static,
    ) -> Row {
        let name = format!("{scenario}/{peer}");
        Row {
            name,
            measure: Box::new(measure),
        }
    }

    fn line(&self) -> String {
        let mut counters = Counters::new();
        let time = (self.measure)(&mut counters);
        let name = &self.name;
        let mut line = format!(
            r#"{{"name": "{name}", "run_type": "iteration", "time_unit": "ns", "real_time": {time}"#
        );
        for (key, value) in counters {
            line += &format!(r#", "{key}": {value}"#);
        }
        line + "}"
    }
}

/// Runs the rows that the command line names, `repetitions` times each and in a random order, and
/// prints the report.
pub fn run(rows: Vec<Row>) {
    let mut filter = String::new();
    let mut repetitions = 1;
    for argument in std::env::args().skip(1) {
        match argument.trim_start_matches('-').split_once('=') {
            Some(("filter", value)) => filter = value.into(),
            Some(("repetitions", value)) => repetitions = value.parse().expect("a number"),
            _ => panic!("no such option: {argument}"),
        }
    }
    let filter = Regex::new(&filter).expect("a regular expression");
    let chosen = rows.iter().filter(|row| filter.is_match(&row.name));
    let mut order: Vec<&Row> = chosen.flat_map(|row| vec![row; repetitions]).collect();
    shuffle(&mut order);
    let lines: Vec<String> = order.iter().map(|row| row.line()).collect();
    println!(
        r#"{{"context": {{"rust": "{}"}}, "benchmarks": [{}]}}"#,
        env!("COMPILER"),
        lines.join(",\n")
    );
}

fn shuffle<T>(items: &mut [T]) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut random = now.map_or(1, |time| time.as_nanos() as u64) | 1;
    for end in (2..=items.len()).rev() {
        // xorshift64
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        items.swap(end - 1, (random % end as u64) as usize);
    }
}
