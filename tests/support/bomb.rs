//! Plugins that are harmless to look at and do harm to a compiler: the crossover plugin with functions that nobody
//! calls.

use std::ops::Range;

use wasm_encoder::reencode::{Reencode as _, RoundtripReencoder};
use wasm_encoder::{
    BlockType, CodeSection, Function, FunctionSection, Module, RawSection, TypeSection, ValType,
};
use wasmparser::{Parser, Payload};

use super::plugin;

/// Takes very long: many functions, each of them far below every limit.
pub(crate) fn slow(functions: u32) -> Vec<u8> {
    let mut function = Function::new([(2, ValType::I64)]);
    for _ in 0..4_000 {
        let mut code = function.instructions();
        code.local_get(0).local_get(1).i64_mul().local_get(1).local_get(0).i64_rotl().i64_add().local_set(0);
    }
    function.instructions().end();
    with(&function, functions)
}

/// Takes gigabytes: each of many local variables may have another value in each of many nested loops.
pub(crate) fn greedy() -> Vec<u8> {
    const LOCALS: u32 = 9_000;
    const LOOPS: u32 = 1_500;
    let mut function = Function::new([(LOCALS, ValType::I64)]);
    let mut code = function.instructions();
    for _ in 0..LOOPS {
        code.loop_(BlockType::Empty);
    }
    for local in 0..LOCALS {
        code.local_get(local).i64_const(1).i64_add().local_set(local);
    }
    for depth in 0..LOOPS {
        code.local_get(depth).i32_wrap_i64().br_if(depth);
    }
    for _ in 0..=LOOPS {
        code.end();
    }
    with(&function, 1)
}

/// The crossover plugin with a function more, as often as is said.
fn with(function: &Function, times: u32) -> Vec<u8> {
    let plugin = std::fs::read(plugin("sma-crossover")).unwrap();
    let mut module = Module::new();
    let (mut own_type, mut left) = (0, 0);
    let mut code = CodeSection::new();
    for payload in Parser::new(0).parse_all(&plugin) {
        let payload = payload.unwrap();
        let mut same = RoundtripReencoder;
        match payload {
            Payload::TypeSection(section) => {
                own_type = section.count();
                let mut types = TypeSection::new();
                same.parse_type_section(&mut types, section).unwrap();
                types.ty().function([], []);
                module.section(&types);
            }
            Payload::FunctionSection(section) => {
                let mut functions = FunctionSection::new();
                same.parse_function_section(&mut functions, section).unwrap();
                for _ in 0..times {
                    functions.function(own_type);
                }
                module.section(&functions);
            }
            Payload::CodeSectionStart { count, .. } => left = count,
            Payload::CodeSectionEntry(body) => {
                code.raw(&plugin[within(body.range())]);
                left -= 1;
                if left == 0 {
                    for _ in 0..times {
                        code.function(function);
                    }
                    module.section(&code);
                }
            }
            other => {
                if let Some((id, range)) = other.as_section() {
                    module.section(&RawSection { id, data: &plugin[within(range)] });
                }
            }
        }
    }
    module.finish()
}

fn within(range: Range<u64>) -> Range<usize> {
    usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()
}
