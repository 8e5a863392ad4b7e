// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.20;

import "./Token.sol";

/// Moves nothing from or to whom its owner has listed.
contract BlacklistToken is Token {
    mapping(address => bool) public listed;

    error Blacklisted(address holder);

    constructor(string memory symbol_, uint8 decimals_, uint256 supply) Token(symbol_, decimals_, supply) {}

    function setListed(address holder, bool is_) external onlyOwner {
        listed[holder] = is_;
    }

    function move(address from, address to, uint256 value) internal override {
        if (listed[from]) revert Blacklisted(from);
        if (listed[to]) revert Blacklisted(to);
        super.move(from, to, value);
    }
}
