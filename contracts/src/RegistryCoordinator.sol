// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Owned} from "./Owned.sol";
import {Quorums} from "./Quorums.sol";
import {BlsApkRegistry, IndexRegistry, PubkeyRegistration, SocketRegistry, StakeRegistry} from "./Registries.sol";
import {QuorumBitmapUpdate} from "./Types.sol";

/// @title Who is in which quorum
/// @notice Operators come and go here; the registries follow. Slots 150, 152 and 155 are where
/// EigenDA's contract has them.
contract RegistryCoordinator is Owned {
    /// @notice What an operator is.
    enum OperatorStatus {
        NEVER_REGISTERED,
        REGISTERED,
        DEREGISTERED
    }

    struct OperatorInfo {
        bytes32 operatorId;
        OperatorStatus status;
    }

    uint256[150] private _before;
    /// @notice How many quorums there are: slot 150.
    uint8 public quorumCount;
    /// @notice The most operators that a quorum has: slot 151.
    mapping(uint8 => uint32) public maxOperatorCount;
    /// Slot 152.
    mapping(bytes32 => QuorumBitmapUpdate[]) private _operatorBitmapHistory;
    /// Slot 153.
    mapping(address => OperatorInfo) private _operatorInfo;
    uint256 private _slot154;
    /// @notice When all stakes of a quorum were last updated: slot 155.
    mapping(uint8 => uint256) public quorumUpdateBlockNumber;

    /// @notice The quorums' stakes.
    StakeRegistry public immutable stakeRegistry;
    /// @notice The quorums' keys.
    BlsApkRegistry public immutable blsApkRegistry;
    /// @notice The quorums' operators.
    IndexRegistry public immutable indexRegistry;
    /// @notice Where operators are reached.
    SocketRegistry public immutable socketRegistry;

    /// @notice EigenDA has no more quorums.
    error TooManyQuorums();
    /// @notice A list of quorums is empty.
    error NoQuorums();
    /// @notice The operator is in one of the quorums already.
    error AlreadyInQuorum(uint256 quorums);
    /// @notice The operator is in none, or not in all, of the quorums.
    error NotInQuorum(uint256 quorums);
    /// @notice The quorum has as many operators as it may have.
    error QuorumIsFull(uint8 quorum);
    /// @notice The operator has less stake than the quorum wants.
    error TooLittleStake(uint8 quorum);
    /// @notice The list does not have every operator of the quorum.
    error NotAllOperators(uint8 quorum);
    /// @notice A history has no entry at this place.
    error NoSuchEntry(uint256 index);
    /// @notice The entry does not hold at the block.
    error EntryDoesNotHold(uint32 from, uint32 until, uint32 blockNumber);
    /// @notice A history begins after the block.
    error BeforeHistory(uint32 blockNumber);

    /// @notice An operator is in quorums.
    event OperatorRegistered(address indexed operator, bytes32 indexed operatorId);
    /// @notice An operator is in no quorum any more.
    event OperatorDeregistered(address indexed operator, bytes32 indexed operatorId);
    /// @notice All stakes of a quorum are as in this block.
    event QuorumBlockNumberUpdated(uint8 indexed quorumNumber, uint256 blockNumber);

    constructor(
        address initialOwner,
        StakeRegistry stakes,
        BlsApkRegistry keys,
        IndexRegistry indices,
        SocketRegistry sockets
    ) Owned(initialOwner) {
        stakeRegistry = stakes;
        blsApkRegistry = keys;
        indexRegistry = indices;
        socketRegistry = sockets;
    }

    /// @notice Makes a quorum.
    /// @param most How many operators it has at most.
    /// @param minimumStake The least stake of each.
    function createQuorum(uint32 most, uint96 minimumStake) external onlyOwner {
        uint8 quorum = quorumCount;
        require(quorum < 192, TooManyQuorums());
        quorumCount = quorum + 1;
        maxOperatorCount[quorum] = most;
        stakeRegistry.initializeQuorum(quorum, minimumStake);
        blsApkRegistry.initializeQuorum(quorum);
        indexRegistry.initializeQuorum(quorum);
    }

    /// @notice The caller joins quorums. With its first ones it shows its key.
    function registerOperator(bytes calldata quorums, string calldata socket, PubkeyRegistration calldata registration)
        external
    {
        uint256 joined = _quorums(quorums);
        bytes32 id = blsApkRegistry.operatorToPubkeyHash(msg.sender);
        if (id == 0) {
            id = blsApkRegistry.registerKey(msg.sender, registration);
        }
        uint192 before = getCurrentQuorumBitmap(id);
        require(before & joined == 0, AlreadyInQuorum(before & joined));
        _setBitmap(id, uint192(before | joined));
        socketRegistry.setOperatorSocket(id, socket);
        _operatorInfo[msg.sender] = OperatorInfo(id, OperatorStatus.REGISTERED);
        for (uint256 i; i < quorums.length; ++i) {
            uint8 quorum = uint8(quorums[i]);
            blsApkRegistry.register(msg.sender, quorum);
            require(stakeRegistry.update(msg.sender, id, quorum), TooLittleStake(quorum));
            uint32 count = indexRegistry.register(id, quorum);
            require(count <= maxOperatorCount[quorum], QuorumIsFull(quorum));
        }
        emit OperatorRegistered(msg.sender, id);
    }

    /// @notice The caller leaves quorums.
    function deregisterOperator(bytes calldata quorums) external {
        _deregister(msg.sender, quorums);
    }

    /// @notice The owner takes an operator out of quorums.
    function ejectOperator(address operator, bytes calldata quorums) external onlyOwner {
        _deregister(operator, quorums);
    }

    /// @notice The caller says where it is reached.
    function updateSocket(string calldata socket) external {
        OperatorInfo memory info = _operatorInfo[msg.sender];
        require(info.status == OperatorStatus.REGISTERED, NotInQuorum(0));
        socketRegistry.setOperatorSocket(info.operatorId, socket);
    }

    /// @notice Takes the stakes of some operators anew. Who has too little leaves the quorum.
    function updateOperators(address[] calldata operators) external {
        for (uint256 i; i < operators.length; ++i) {
            uint256 quorums = getCurrentQuorumBitmap(_operatorInfo[operators[i]].operatorId);
            for (uint8 quorum; quorum < quorumCount; ++quorum) {
                if (Quorums.has(quorums, quorum)) {
                    _updateStake(operators[i], quorum);
                }
            }
        }
    }

    /// @notice Takes the stakes of whole quorums anew, and remembers when. Who has too little leaves.
    /// @param operators For each quorum, all its operators by ascending address.
    function updateOperatorsForQuorum(address[][] calldata operators, bytes calldata quorums) external {
        _quorums(quorums);
        for (uint256 i; i < quorums.length; ++i) {
            uint8 quorum = uint8(quorums[i]);
            address[] calldata all = operators[i];
            require(all.length == indexRegistry.totalOperatorsForQuorum(quorum), NotAllOperators(quorum));
            for (uint256 place; place < all.length; ++place) {
                bytes32 id = _operatorInfo[all[place]].operatorId;
                bool isIn = Quorums.has(getCurrentQuorumBitmap(id), quorum);
                require(isIn && (place == 0 || all[place - 1] < all[place]), NotAllOperators(quorum));
            }
            for (uint256 place; place < all.length; ++place) {
                _updateStake(all[place], quorum);
            }
            quorumUpdateBlockNumber[quorum] = block.number;
            emit QuorumBlockNumberUpdated(quorum, block.number);
        }
    }

    /// @notice An operator's id, and whether it is registered.
    function getOperator(address operator) external view returns (OperatorInfo memory) {
        return _operatorInfo[operator];
    }

    /// @notice An operator's id; zero if it never registered.
    function getOperatorId(address operator) external view returns (bytes32) {
        return _operatorInfo[operator].operatorId;
    }

    /// @notice Whose id it is.
    function getOperatorFromId(bytes32 operatorId) external view returns (address) {
        return blsApkRegistry.pubkeyHashToOperator(operatorId);
    }

    /// @notice The quorums in which an operator is now.
    function getCurrentQuorumBitmap(bytes32 operatorId) public view returns (uint192) {
        QuorumBitmapUpdate[] storage history = _operatorBitmapHistory[operatorId];
        uint256 length = history.length;
        return length == 0 ? 0 : history[length - 1].quorumBitmap;
    }

    /// @notice An operator's quorums, by the place in its history.
    function getQuorumBitmapAtBlockNumberByIndex(bytes32 operatorId, uint32 blockNumber, uint256 index)
        external
        view
        returns (uint192)
    {
        QuorumBitmapUpdate[] storage history = _operatorBitmapHistory[operatorId];
        require(index < history.length, NoSuchEntry(index));
        QuorumBitmapUpdate memory entry = history[index];
        (uint32 from, uint32 until) = (entry.updateBlockNumber, entry.nextUpdateBlockNumber);
        require(from <= blockNumber && (until == 0 || blockNumber < until), EntryDoesNotHold(from, until, blockNumber));
        return entry.quorumBitmap;
    }

    /// @notice The places in operators' histories that hold at a block.
    function getQuorumBitmapIndicesAtBlockNumber(uint32 blockNumber, bytes32[] calldata operatorIds)
        external
        view
        returns (uint32[] memory indices)
    {
        indices = new uint32[](operatorIds.length);
        for (uint256 i; i < operatorIds.length; ++i) {
            QuorumBitmapUpdate[] storage history = _operatorBitmapHistory[operatorIds[i]];
            uint256 next = history.length;
            while (next > 0 && history[next - 1].updateBlockNumber > blockNumber) {
                --next;
            }
            require(next > 0, BeforeHistory(blockNumber));
            indices[i] = uint32(next - 1);
        }
    }

    function _quorums(bytes calldata quorums) private view returns (uint256) {
        require(quorums.length > 0, NoQuorums());
        return Quorums.bitmapBelow(quorums, quorumCount);
    }

    function _updateStake(address operator, uint8 quorum) private {
        if (!stakeRegistry.update(operator, _operatorInfo[operator].operatorId, quorum)) {
            _leave(operator, abi.encodePacked(quorum), uint256(1) << quorum);
        }
    }

    function _deregister(address operator, bytes calldata quorums) private {
        _leave(operator, quorums, _quorums(quorums));
    }

    function _leave(address operator, bytes memory quorums, uint256 left) private {
        bytes32 id = _operatorInfo[operator].operatorId;
        uint192 before = getCurrentQuorumBitmap(id);
        require(before & left == left, NotInQuorum(left & ~before));
        uint192 rest = uint192(before & ~left);
        _setBitmap(id, rest);
        for (uint256 i; i < quorums.length; ++i) {
            uint8 quorum = uint8(quorums[i]);
            blsApkRegistry.deregister(operator, quorum);
            stakeRegistry.deregister(id, quorum);
            indexRegistry.deregister(id, quorum);
        }
        if (rest == 0) {
            _operatorInfo[operator].status = OperatorStatus.DEREGISTERED;
            emit OperatorDeregistered(operator, id);
        }
    }

    function _setBitmap(bytes32 id, uint192 bitmap) private {
        QuorumBitmapUpdate[] storage history = _operatorBitmapHistory[id];
        uint256 length = history.length;
        uint32 present = uint32(block.number);
        if (length > 0) {
            QuorumBitmapUpdate storage last = history[length - 1];
            if (last.updateBlockNumber == present) {
                last.quorumBitmap = bitmap;
                return;
            }
            last.nextUpdateBlockNumber = present;
        }
        history.push(QuorumBitmapUpdate(present, 0, bitmap));
    }
}
