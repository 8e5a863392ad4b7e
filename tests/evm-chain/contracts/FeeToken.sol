// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.20;

import "./Token.sol";

/// Keeps a part of what is moved. A pool pays out with `transfer` and is paid with `transferFrom`, so the two fees are
/// those of buying and of selling. The owner pays none.
contract FeeToken is Token {
    uint256 public buyFeeBps;
    uint256 public sellFeeBps;

    constructor(string memory symbol_, uint8 decimals_, uint256 supply, uint256 buyFeeBps_, uint256 sellFeeBps_)
        Token(symbol_, decimals_, supply)
    {
        setFees(buyFeeBps_, sellFeeBps_);
    }

    function setFees(uint256 buyFeeBps_, uint256 sellFeeBps_) public onlyOwner {
        buyFeeBps = buyFeeBps_;
        sellFeeBps = sellFeeBps_;
    }

    function transfer(address to, uint256 value) external override returns (bool) {
        moveWithFee(msg.sender, to, value, buyFeeBps);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external override returns (bool) {
        spend(from, value);
        moveWithFee(from, to, value, sellFeeBps);
        return true;
    }

    function moveWithFee(address from, address to, uint256 value, uint256 feeBps) private {
        uint256 fee = from == owner ? 0 : value * feeBps / 10_000;
        move(from, to, value - fee);
        if (fee > 0) move(from, owner, fee);
    }
}
