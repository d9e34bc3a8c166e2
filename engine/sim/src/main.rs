//! `ringkeeper-sim`: whole ensembles under faults, from seeds.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
