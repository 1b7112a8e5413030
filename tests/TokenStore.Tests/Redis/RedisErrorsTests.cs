using FenceGateway.TokenStore.Redis;
using StackExchange.Redis;

namespace FenceGateway.TokenStore.Tests.Redis;

/// <summary>
/// Whether a step that failed was certainly not taken. A wrong yes admits a stale writer; what nobody knows is a no.
/// </summary>
public sealed class RedisErrorsTests
{
    [Theory]
    [InlineData("READONLY You can't write against a read only replica.", true)]
    [InlineData("OOM command not allowed when used memory > 'maxmemory'.", true)]
    [InlineData("MISCONF Errors writing to the AOF file: No space left on device", true)]
    [InlineData("LOADING Redis is loading the dataset in memory", true)]
    [InlineData("BUSY Redis is busy running a script.", true)]
    [InlineData("NOAUTH Authentication required.", true)]
    [InlineData("WRONGPASS invalid username-password pair or user is disabled.", true)]
    [InlineData("NOPERM User fence has no permissions to run the 'evalsha' command", true)]
    [InlineData("CROSSSLOT Keys in request don't hash to the same slot", true)]
    [InlineData("CLUSTERDOWN The cluster is down", true)]
    [InlineData("TRYAGAIN Multiple keys request during rehashing of slot", true)]
    [InlineData("MASTERDOWN Link with MASTER is down", true)]
    [InlineData("NOREPLICAS Not enough good replicas to write.", true)]
    [InlineData("ERR Error running script (call to f_1): @user_script:3: -OOM command not allowed", true)]
    [InlineData("ERR something else", false)]
    [InlineData("ERR The user executing the script can't run this command or subcommand script: f_1", false)]
    public void Map_WhatTheServerAnswered(string answer, bool notTaken)
    {
        var mapped = Map(new RedisServerException(RedisErrorKind.Unknown, CommandFlags.None, answer));

        mapped.NotTaken.ShouldBe(notTaken);
        mapped.Message.ShouldContain(answer);
    }

    [Theory]
    [InlineData(RedisErrorKind.Moved)]
    [InlineData(RedisErrorKind.Ask)]
    [InlineData(RedisErrorKind.UnknownRedirectTarget)]
    public void Map_ARedirectionThatTheClientTellsInItsOwnWords_WasNotTaken(RedisErrorKind kind) =>
        Map(new RedisServerException(kind, CommandFlags.None, "Key has MOVED but so what. "))
            .ShouldSatisfyAllConditions(
            mapped => mapped.NotTaken.ShouldBeTrue(), mapped => mapped.Message.ShouldContain("has moved the slot"));

    [Theory]
    [InlineData(ConnectionFailureType.UnableToResolvePhysicalConnection, CommandStatus.WaitingToBeSent, true)]
    [InlineData(ConnectionFailureType.UnableToConnect, CommandStatus.Unknown, true)]
    [InlineData(ConnectionFailureType.AuthenticationFailure, CommandStatus.Unknown, true)]
    [InlineData(ConnectionFailureType.UnableToConnect, CommandStatus.Sent, false)]
    [InlineData(ConnectionFailureType.UnableToConnect, CommandStatus.WaitingToBeSent, false)]
    [InlineData(ConnectionFailureType.SocketClosed, CommandStatus.Sent, false)]
    [InlineData(ConnectionFailureType.SocketClosed, CommandStatus.WaitingToBeSent, false)]
    [InlineData(ConnectionFailureType.SocketFailure, CommandStatus.WaitingInBacklog, false)]
    [InlineData(ConnectionFailureType.ConnectionDisposed, CommandStatus.Unknown, false)]
    [InlineData(ConnectionFailureType.ProtocolFailure, CommandStatus.Sent, false)]
    [InlineData(ConnectionFailureType.InternalFailure, CommandStatus.Unknown, false)]
    public void Map_AConnectionThatFailed(ConnectionFailureType failure, CommandStatus status, bool notTaken) =>
        Map(new RedisConnectionException(failure, CommandFlags.None, "x", null, status)).NotTaken.ShouldBe(notTaken);

    [Fact]
    public void Map_WhateverElse_MayHaveBeenTaken()
    {
        Map(new RedisTimeoutException(CommandFlags.None, "x", CommandStatus.WaitingInBacklog)).NotTaken.ShouldBeFalse();
        Map(new ObjectDisposedException("x")).NotTaken.ShouldBeFalse();
        Map(new InvalidOperationException("x")).NotTaken.ShouldBeFalse();
        Map(new RedisCommandException("the client's own refusal")).NotTaken.ShouldBeTrue();
        var known = new TokenStoreUnavailableException("x");
        Map(known).ShouldBeSameAs(known);
    }

    private static TokenStoreUnavailableException Map(Exception exception) => RedisErrors.Map(exception, "a:1");
}
