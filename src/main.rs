//! The `ringtrue` binary: parses the command line and hands over to [`ringtrue::cli`].

/// A call makes and frees some thousand small pieces of memory on four threads; the system's
/// allocator costs it twice as much as this one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    ringtrue::cli::main()
}
