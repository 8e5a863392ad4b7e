// The swap program of the test chain: what the aggregator's program is to a trader, with one pool behind it.
//
// It takes the aggregator's instructions `route` and `route_v2` with the accounts where the aggregator has them. Behind
// those it wants the pool's authority and its two vaults. The pool keeps 30 basis points and holds the product of its
// vaults constant. What arrives is measured at the destination, so that tokens which keep a part of each transfer are
// held against the least that was asked for like all others.
//
// build.sh says how swap.so is made of this.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

typedef struct { u8 bytes[32]; } Key;

typedef struct {
  const Key *key;
  u64 *lamports;
  u64 data_len;
  u8 *data;
  const Key *owner;
  u64 rent_epoch;
  u8 is_signer;
  u8 is_writable;
  u8 executable;
} Account;

typedef struct { const Key *key; u8 is_writable; u8 is_signer; } Meta;
typedef struct { const Key *program; const Meta *accounts; u64 accounts_len; const u8 *data; u64 data_len; } Instruction;
typedef struct { const u8 *bytes; u64 len; } Seed;
typedef struct { const Seed *seeds; u64 len; } Seeds;

extern u64 sol_invoke_signed_c(const Instruction *, const Account *, u64, const Seeds *, u64);
extern u64 sol_try_find_program_address(const Seed *, u64, const Key *, Key *, u8 *);

enum { MOST_ACCOUNTS = 24 };
// As the aggregator numbers them; those from 7000 on are the pool's own.
enum { SLIPPAGE_EXCEEDED = 6001, NOT_ENOUGH_ACCOUNTS = 6008, UNKNOWN_INSTRUCTION = 7001, NO_SIGNATURE = 7002, NO_AUTHORITY = 7003, NOTHING = 7004 };

static const u64 ROUTE = 0x2aade37a97cb17e5ull;
static const u64 ROUTE_V2 = 0x14afc431ccfa64bbull;

static u64 read(const u8 *at, u32 bytes) {
  u64 value = 0;
  for (u32 i = 0; i < bytes; i++) value |= (u64)at[i] << (8 * i);
  return value;
}

static u64 held(const Account *token_account) { return *(const u64 *)(token_account->data + 64); }

// a * b / c without losing what is above 64 bits in between. The result has to fit.
static u64 product_over(u64 a, u64 b, u64 c) {
  u64 high = 0, low = 0;
  for (int bit = 63; bit >= 0; bit--) {
    high = (high << 1) | (low >> 63);
    low <<= 1;
    if ((b >> bit) & 1) {
      u64 sum = low + a;
      if (sum < low) high++;
      low = sum;
    }
  }
  u64 rest = 0, result = 0;
  for (int bit = 127; bit >= 0; bit--) {
    u64 carry = rest >> 63;
    rest = (rest << 1) | (((bit >= 64 ? high >> (bit - 64) : low >> bit)) & 1);
    result <<= 1;
    if (carry || rest >= c) {
      rest -= c;
      result |= 1;
    }
  }
  return result;
}

// TransferChecked, which both token programs know.
// In its place, as a function has at most five arguments.
static inline __attribute__((always_inline)) u64 transfer(const Account *all, u64 count, const Account *program, const Account *from, const Account *mint,
                    const Account *to, const Account *authority, u64 amount, const Seeds *seeds) {
  u8 data[10];
  data[0] = 12;
  for (int i = 0; i < 8; i++) data[1 + i] = (u8)(amount >> (8 * i));
  data[9] = mint->data[44];
  Meta metas[4] = {{from->key, 1, 0}, {mint->key, 0, 0}, {to->key, 1, 0}, {authority->key, 0, 1}};
  Instruction instruction = {program->key, metas, 4, data, 10};
  return sol_invoke_signed_c(&instruction, all, count, seeds, seeds ? 1 : 0);
}

u64 entrypoint(u8 *input) {
  Account accounts[MOST_ACCOUNTS];
  u64 count = *(u64 *)input;
  if (count > MOST_ACCOUNTS) return NOT_ENOUGH_ACCOUNTS;
  u8 *at = input + 8;
  for (u64 i = 0; i < count; i++) {
    if (*at != 0xff) {
      accounts[i] = accounts[*at];
      at += 8;
      continue;
    }
    Account *account = &accounts[i];
    account->is_signer = at[1];
    account->is_writable = at[2];
    account->executable = at[3];
    account->key = (const Key *)(at + 8);
    account->owner = (const Key *)(at + 40);
    account->lamports = (u64 *)(at + 72);
    account->data_len = *(u64 *)(at + 80);
    account->data = at + 88;
    at += 88 + account->data_len + 10240;
    at = (u8 *)(((u64)at + 7) & ~7ull);
    account->rent_epoch = *(u64 *)at;
    at += 8;
  }
  u64 data_len = *(u64 *)at;
  const u8 *data = at + 8;
  const Key *program = (const Key *)(data + data_len);
  if (data_len < 34) return UNKNOWN_INSTRUCTION;

  u64 amount, quoted, slippage;
  const Account *user, *source, *destination, *mint_in, *mint_out, *program_in, *program_out, *pool;
  u64 kind = read(data, 8);
  if (kind == ROUTE_V2) {
    if (count < 13) return NOT_ENOUGH_ACCOUNTS;
    amount = read(data + 8, 8);
    quoted = read(data + 16, 8);
    slippage = read(data + 24, 2);
    user = &accounts[0], source = &accounts[1], destination = &accounts[2];
    mint_in = &accounts[3], mint_out = &accounts[4], program_in = &accounts[5], program_out = &accounts[6];
    if (!accounts[7].executable) destination = &accounts[7];
    pool = &accounts[10];
  } else if (kind == ROUTE) {
    // Its plan stands first, and has one step of four bytes here.
    if (count < 14 || data_len != 35) return NOT_ENOUGH_ACCOUNTS;
    amount = read(data + 16, 8);
    quoted = read(data + 24, 8);
    slippage = read(data + 32, 2);
    program_in = &accounts[0], user = &accounts[1], source = &accounts[2], destination = &accounts[3];
    if (!accounts[4].executable) destination = &accounts[4];
    mint_out = &accounts[5];
    pool = &accounts[9];
    mint_in = &accounts[12], program_out = &accounts[13];
  } else {
    return UNKNOWN_INSTRUCTION;
  }
  if (!user->is_signer) return NO_SIGNATURE;
  if (amount == 0) return NOTHING;
  const Account *vault_in = pool + 1, *vault_out = pool + 2;

  u64 before = held(destination);
  u64 kept = amount / 10000 * 9970 + amount % 10000 * 9970 / 10000;
  u64 out = product_over(held(vault_out), kept, held(vault_in) + kept);
  u64 failed = transfer(accounts, count, program_in, source, mint_in, vault_in, user, amount, 0);
  if (failed) return failed;

  u8 word[4] = {'p', 'o', 'o', 'l'};
  u8 bump = 0;
  Key authority;
  Seed name = {word, 4};
  if (sol_try_find_program_address(&name, 1, program, &authority, &bump)) return NO_AUTHORITY;
  Seed signed_by[2] = {{word, 4}, {&bump, 1}};
  Seeds seeds = {signed_by, 2};
  failed = transfer(accounts, count, program_out, vault_out, mint_out, destination, pool, out, &seeds);
  if (failed) return failed;

  u64 least = product_over(quoted, 10000 - slippage, 10000);
  return held(destination) - before < least ? SLIPPAGE_EXCEEDED : 0;
}
