//! A Solana validator for tests: it prints where it answers, and ends when its input does.
//!
//! `bulkhead-solana-validator SLOT_MILLISECONDS [ADDRESS PROGRAM_FILE]`

use std::io::{Read as _, Write as _};

use surfpool_sdk::cheatcodes::builders::DeployProgram;
use surfpool_sdk::{BlockProductionMode, Pubkey, Surfnet};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let slot_time = arguments.next().ok_or("how long a slot lasts is missing, in milliseconds")?.parse()?;
    // It starts servers of its own, which want a runtime beside them.
    let runtime = tokio::runtime::Runtime::new()?;
    let validator = runtime.block_on(
        Surfnet::builder().block_production_mode(BlockProductionMode::Clock).slot_time_ms(slot_time).start(),
    )?;
    while let Some(address) = arguments.next() {
        let program: Pubkey = address.parse()?;
        let file = arguments.next().ok_or("the file of a program is missing")?;
        validator.cheatcodes().deploy(DeployProgram::new(program).so_bytes(std::fs::read(file)?))?;
    }
    let mut output = std::io::stdout();
    writeln!(output, "{} {}", validator.rpc_url(), validator.ws_url())?;
    output.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
