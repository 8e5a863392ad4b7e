// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity ^0.8.20;

/// Makes calls one after the other and tells what came of each. It is never deployed: its code is put at an address for
/// one trial, on nodes that can't try several calls by themselves.
contract Calls {
    struct Call {
        address to;
        uint256 value;
        bytes data;
    }

    struct Answer {
        bool success;
        bytes data;
    }

    function run(Call[] calldata calls) external returns (Answer[] memory answers) {
        answers = new Answer[](calls.length);
        for (uint256 i = 0; i < calls.length; i++) {
            (answers[i].success, answers[i].data) = calls[i].to.call{value: calls[i].value}(calls[i].data);
        }
    }

    receive() external payable {}
}
