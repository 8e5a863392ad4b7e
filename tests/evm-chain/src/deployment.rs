//! Everything is deployed once for a version of the contracts; other chains load what came of it.

use std::path::PathBuf;

use alloy::primitives::{Address, Bytes, TxKind, U256, hex};
use alloy::providers::DynProvider;
use alloy::sol_types::SolValue as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::account::{ACCOUNTS, account, deployer};
use crate::chain::{Options, request};
use crate::installation;
use crate::transactions;

/// What each account has of the native currency at the start, in whole units.
pub const NATIVE_FUNDS: u64 = 10_000;

/// How many whole units there are of each token. All belong to the deployer.
pub const TOKEN_SUPPLY: u64 = 1_000_000_000_000;

/// What the token with fees keeps of every move, in basis points.
pub const TOKEN_FEE_BPS: u64 = 500;

/// Raised when what is deployed changes with the same contracts.
const REVISION: u32 = 1;

/// Where everything is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployed {
    /// Wrapped native currency.
    pub weth: Address,
    /// Uniswap V2's factory.
    pub v2_factory: Address,
    /// Uniswap V2's second router.
    pub v2_router: Address,
    /// Uniswap V3's factory.
    pub v3_factory: Address,
    /// Uniswap V3's first router.
    pub v3_router: Address,
    /// Uniswap V3's first quoter.
    pub v3_quoter: Address,
    /// Uniswap V3's positions of liquidity.
    pub v3_positions: Address,
    /// Tokens.
    pub tokens: Tokens,
}

/// Tokens, good and bad; what each does is in the contract of its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// As the standard has it, 18 decimals.
    pub plain: Address,
    /// As the standard has it, 6 decimals.
    pub dollar: Address,
    /// Keeps 5 % of what is moved, 18 decimals.
    pub fee: Address,
    /// Answers nothing, and wants an approval of nothing between two others; 6 decimals.
    pub silent: Address,
    /// Moves nothing of those that its owner has listed; 18 decimals, as the rest.
    pub blacklist: Address,
    /// Can be bought and not sold.
    pub honeypot: Address,
    /// Fails with an error of its own while it is paused; at the start it isn't.
    pub pausable: Address,
    /// `approve` answers false.
    pub approval_refused: Address,
    /// `approve` fails with an error of its own.
    pub approval_reverts: Address,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    deployed: Deployed,
    /// The node's own form.
    state: Bytes,
}

/// Puts everything on an empty chain.
pub(crate) async fn deploy(provider: &DynProvider, options: &Options) -> Deployed {
    let contracts = Contracts::read();
    let kept = kept(&contracts, options.chain_id);
    if let Some(kept) =
        std::fs::read(&kept).ok().and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok())
    {
        let loaded: bool = request(provider, "anvil_loadState", (kept.state,)).await;
        assert!(loaded, "the node does not take what it wrote itself");
        return kept.deployed;
    }
    for number in 0..ACCOUNTS {
        fund(provider, account(number).address(), NATIVE_FUNDS).await;
    }
    fund(provider, deployer().address(), u64::MAX).await;
    let deployed = contracts.deploy(provider, options.chain_id).await;
    let state: Bytes = request(provider, "anvil_dumpState", ()).await;
    let bytes = serde_json::to_vec(&Kept { deployed: deployed.clone(), state }).expect("it has a form");
    // Several tests may get here at the same time, so it is put in place as a whole.
    let folder = kept.parent().expect("it is in a folder");
    std::fs::create_dir_all(folder).expect("a folder for what is deployed");
    let mut file = tempfile::NamedTempFile::new_in(folder).expect("a file for what is deployed");
    std::io::Write::write_all(&mut file, &bytes).expect("room for what is deployed");
    file.persist(kept).expect("a file can be renamed within its folder");
    deployed
}

async fn fund(provider: &DynProvider, address: Address, units: u64) {
    let wei = U256::from(units) * U256::from(10).pow(U256::from(18));
    let _: Value = request(provider, "anvil_setBalance", (address, wei)).await;
}

fn kept(contracts: &Contracts, chain_id: u64) -> PathBuf {
    let mut hash = Sha256::new();
    hash.update(REVISION.to_le_bytes());
    hash.update(chain_id.to_le_bytes());
    for code in contracts.all() {
        hash.update(code);
    }
    installation::folder().join("deployed").join(format!("{}.json", hex::encode(hash.finalize())))
}

/// The code of everything that is deployed.
struct Contracts {
    weth: Bytes,
    v2_factory: Bytes,
    v2_router: Bytes,
    v3_factory: Bytes,
    v3_router: Bytes,
    v3_quoter: Bytes,
    v3_positions: Bytes,
    token: Bytes,
    fee: Bytes,
    silent: Bytes,
    blacklist: Bytes,
    honeypot: Bytes,
    pausable: Bytes,
    approval_refused: Bytes,
    approval_reverts: Bytes,
}

impl Contracts {
    fn read() -> Self {
        use installation::{compiled, packaged};
        let v3 = |path: &str| packaged(&format!("v3-periphery/artifacts/contracts/{path}.json"));
        Self {
            weth: packaged("v2-periphery/build/WETH9.json"),
            v2_factory: packaged("v2-core/build/UniswapV2Factory.json"),
            v2_router: packaged("v2-periphery/build/UniswapV2Router02.json"),
            v3_factory: packaged("v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json"),
            v3_router: v3("SwapRouter.sol/SwapRouter"),
            v3_quoter: v3("lens/Quoter.sol/Quoter"),
            v3_positions: v3("NonfungiblePositionManager.sol/NonfungiblePositionManager"),
            token: compiled("Token"),
            fee: compiled("FeeToken"),
            silent: compiled("SilentToken"),
            blacklist: compiled("BlacklistToken"),
            honeypot: compiled("HoneypotToken"),
            pausable: compiled("PausableToken"),
            approval_refused: compiled("ApprovalRefusedToken"),
            approval_reverts: compiled("ApprovalRevertsToken"),
        }
    }

    fn all(&self) -> [&Bytes; 15] {
        [
            &self.weth,
            &self.v2_factory,
            &self.v2_router,
            &self.v3_factory,
            &self.v3_router,
            &self.v3_quoter,
            &self.v3_positions,
            &self.token,
            &self.fee,
            &self.silent,
            &self.blacklist,
            &self.honeypot,
            &self.pausable,
            &self.approval_refused,
            &self.approval_reverts,
        ]
    }

    async fn deploy(&self, provider: &DynProvider, chain_id: u64) -> Deployed {
        let put = async |code: &Bytes, parameters: Vec<u8>| {
            let input = [code.as_ref(), &parameters].concat().into();
            let sent =
                transactions::transact(provider, chain_id, &deployer(), TxKind::Create, input, U256::ZERO)
                    .await;
            let receipt = sent.unwrap_or_else(|error| panic!("a contract can't be deployed: {error:?}"));
            receipt.contract_address.expect("a deployment makes a contract")
        };
        let token = async |code: &Bytes, symbol: &str, decimals: u8| {
            put(code, (symbol, U256::from(decimals), supply(decimals)).abi_encode_params()).await
        };
        let weth = put(&self.weth, Vec::new()).await;
        let v2_factory = put(&self.v2_factory, deployer().address().abi_encode()).await;
        let v3_factory = put(&self.v3_factory, Vec::new()).await;
        Deployed {
            weth,
            v2_factory,
            v2_router: put(&self.v2_router, (v2_factory, weth).abi_encode_params()).await,
            v3_factory,
            v3_router: put(&self.v3_router, (v3_factory, weth).abi_encode_params()).await,
            v3_quoter: put(&self.v3_quoter, (v3_factory, weth).abi_encode_params()).await,
            // Nobody looks at a picture of the position.
            v3_positions: put(&self.v3_positions, (v3_factory, weth, Address::ZERO).abi_encode_params())
                .await,
            tokens: Tokens {
                plain: token(&self.token, "PLAIN", 18).await,
                dollar: token(&self.token, "DOLLAR", 6).await,
                fee: {
                    let fee = U256::from(TOKEN_FEE_BPS);
                    put(&self.fee, ("FEE", U256::from(18), supply(18), fee, fee).abi_encode_params()).await
                },
                silent: token(&self.silent, "SILENT", 6).await,
                blacklist: token(&self.blacklist, "LISTED", 18).await,
                honeypot: token(&self.honeypot, "HONEY", 18).await,
                pausable: token(&self.pausable, "PAUSED", 18).await,
                approval_refused: token(&self.approval_refused, "REFUSED", 18).await,
                approval_reverts: token(&self.approval_reverts, "REVERTS", 18).await,
            },
        }
    }
}

fn supply(decimals: u8) -> U256 {
    U256::from(TOKEN_SUPPLY) * U256::from(10).pow(U256::from(decimals))
}
