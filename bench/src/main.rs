//! Runs one piece of work for every line on standard input and answers with its seconds, so that a
//! script can alternate between this and another library.

use std::io::{BufRead as _, Write as _};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut work = sbridge_bench::work(&arguments.join(" "))?;
    let mut out = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        line?;
        let started = Instant::now();
        work();
        writeln!(out, "{}", started.elapsed().as_secs_f64())?;
        out.flush()?;
    }
    Ok(())
}
