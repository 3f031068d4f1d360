//! Login insights as a process of its own: what the container runs.

use std::process::ExitCode;

fn main() -> ExitCode {
    millrace_host::consumer::main::<millrace_login_insights::LoginInsights>()
}
