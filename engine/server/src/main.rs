//! The `ringkeeper` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringkeeper::cli::main()
}
