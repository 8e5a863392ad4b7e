//! `assemble swap.s swap.so`: clang writes directives of its own, which the assembler for Solana does not know.

use sbpf_assembler::{Assembler, AssemblerOption, SbpfArch};

fn main() {
    let [from, to] = std::env::args().skip(1).collect::<Vec<_>>().try_into().expect("from and to");
    let text = std::fs::read_to_string(from).expect("what clang wrote");
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim_end());
    let is_of_clang = |line: &str| {
        let word = line.split_whitespace().next().unwrap_or_default();
        word.is_empty() || (word.starts_with('.') && word != ".globl")
    };
    let kept: Vec<&str> = lines.filter(|line| !is_of_clang(line)).collect();
    let assembler = Assembler::new(AssemblerOption::default().with_arch(SbpfArch::V0));
    let program = assembler.assemble(&kept.join("\n")).expect("it can be assembled");
    std::fs::write(to, program).expect("a place for the program");
}
