//! The `ringtrue` binary: parses the command line and hands over to [`ringtrue::cli`].

fn main() -> std::process::ExitCode {
    ringtrue::cli::main()
}
