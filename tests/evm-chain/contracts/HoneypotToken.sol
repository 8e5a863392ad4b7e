// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.20;

import "./Token.sol";

/// Can be bought by all and sold by its owner alone: a pool is paid with `transferFrom`.
contract HoneypotToken is Token {
    constructor(string memory symbol_, uint8 decimals_, uint256 supply) Token(symbol_, decimals_, supply) {}

    function transferFrom(address from, address to, uint256 value) external override returns (bool) {
        require(from == owner, "no way out");
        spend(from, value);
        move(from, to, value);
        return true;
    }
}
