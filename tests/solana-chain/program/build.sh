#!/usr/bin/env bash
# Makes swap.so of swap.c. Both are kept, as few have a clang for BPF; a change of one is a change of both.
#
#   apt-get install clang-19      Debian's; the virtual machine wants what its -mcpu=v1 writes
#   bash build.sh
set -euo pipefail
cd "$(dirname "$0")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# A frame of the virtual machine has 4 KiB, eight times what the kernel's has.
clang-19 -target bpfel -mcpu=v1 -O2 -ffreestanding -fno-builtin -mllvm -bpf-stack-size=4096 -Wall -S swap.c -o "$work/swap.s"
CARGO_TARGET_DIR="$work/target" cargo run --quiet --locked --manifest-path assemble/Cargo.toml -- "$work/swap.s" swap.so
sha256sum swap.so
