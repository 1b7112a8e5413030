using System.Data.Common;
using FenceGateway.Fencing;
using Microsoft.Extensions.Logging;

namespace FenceGateway.TokenStore.Sql;

/// <summary>
/// What the stores on SQL databases have in common. What a step has to decide is decided in the database, by one statement; a store
/// knows how its database is connected to, asked and listened to. Only the stores of this package derive from it.
/// </summary>
public abstract class SqlTokenStore : ITokenStore
{
    private const int BeatsBetweenUpkeep = 64;

    private readonly string _product;
    private ISqlConnections? _connections;
    private ISqlListener? _listener;
    private string? _epoch;
    private int _beatsUntilUpkeep;
    private Task _upkeep = Task.CompletedTask;
    private volatile string? _fault = "The token store is not open.";
    private volatile TokenStoreInfo _info;

    private protected SqlTokenStore(string provider, string product, ILogger logger)
    {
        _product = product;
        _info = new TokenStoreInfo(provider, SafetyGrade.BestEffort, "not connected yet");
        Logger = logger;
    }

    /// <inheritdoc/>
    public TokenStoreInfo Info => _info;

    /// <inheritdoc/>
    public string? Fault => _fault;

    /// <inheritdoc/>
    public Action<ResourceChange>? Changed { get; set; }

    private protected ILogger Logger { get; }

    private protected abstract SqlStatements Sql { get; }

    /// <inheritdoc/>
    public async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        await CloseAsync("The token store is being opened.");
        var (connections, listener) = ConnectOrRefuse();
        try
        {
            var (info, epoch) = await connections.OfSessionAsync(
                async (connection, givenUp) =>
                {
                    // Before: a server that is none for this store gets no tables. Afterwards: how they are kept counts as well.
                    _ = await ReadInfoAsync(connection, connections.Location, givenUp);
                    var tables = await EnsureTablesAsync(connection, connections.Location, givenUp);
                    return (await ReadInfoAsync(connection, connections.Location, givenUp), tables);
                },
                cancellationToken);
            await listener.StartAsync(epoch, cancellationToken);
            if (_epoch is not null && _epoch != epoch)
            {
                SqlStoreLog.DataReplaced(Logger, connections.Location);
            }

            (_info, _epoch, _listener) = (info, epoch, listener);
            Volatile.Write(ref _connections, connections);
            _fault = null;
        }
        catch
        {
            await listener.DisposeAsync();
            await connections.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<TimeSpan> StartSessionAsync(string session, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        await OfSessionAsync(
            (connection, givenUp) => ExecuteAsync(connection, Sql.StartSession, givenUp, ("@session", session), ("@timeToLive", timeToLive)),
            cancellationToken);
        return timeToLive;
    }

    /// <inheritdoc/>
    public async ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken)
    {
        var heartbeat = await BeatAsync(session, cancellationToken);
        if (Interlocked.Decrement(ref _beatsUntilUpkeep) <= 0 && _upkeep.IsCompleted)
        {
            _beatsUntilUpkeep = BeatsBetweenUpkeep;
            _upkeep = KeepUpAsync();
        }

        return heartbeat;
    }

    /// <inheritdoc/>
    public async ValueTask EndSessionAsync(string session, bool quiet, CancellationToken cancellationToken)
    {
        await OfSessionAsync(
            (connection, givenUp) => ExecuteAsync(connection, Sql.EndSession, givenUp, ("@session", session)), cancellationToken);
        if (quiet)
        {
            while (await WithdrawSomeAsync(session, cancellationToken))
            {
            }
        }
    }

    /// <summary>Nothing is known without asking.</summary>
    public long PeekMark(ResourceKey resource) => 0;

    /// <inheritdoc/>
    public ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken)
    {
        EnterRequest.ThrowIfInvalid(in request);
        return StepAsync(
            async (connection, givenUp) =>
            {
                await using var command = Sql.Command(
                    connection, Sql.Enter, ("@resource", SqlKey.Encode(request.Resource)), ("@session", request.Session),
                    ("@token", request.Token.Value), ("@oldest", request.Oldest.Value), ("@sequence", request.Sequence),
                    ("@hold", request.InDoubtHold));
                await using var reader = await command.ExecuteReaderAsync(givenUp);
                await reader.ReadAsync(givenUp);
                return new EnterReply(
                    (EnterStatus)reader.GetInt32(0), new FencingToken(reader.GetInt64(1)),
                    TimeSpan.FromMicroseconds(reader.GetInt64(2)), reader.GetBoolean(3));
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public abstract ValueTask WithdrawAsync(
        string session, IReadOnlyList<Registration> registrations, CancellationToken cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<MarkRecord?> FindAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        var records = await ReadAsync(Sql.Find, cancellationToken, ("@resource", SqlKey.Encode(resource)));
        return records.Count == 0 ? null : records[0];
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<MarkRecord>> ListAsync(MarkQuery query, CancellationToken cancellationToken)
    {
        MarkQuery.ThrowIfInvalid(in query);
        var (from, until) = SqlKey.Range(query.Prefix);
        return until is null
            ? await ReadAsync(Sql.ListAll, cancellationToken, ("@before", query.Before), ("@limit", query.Limit))
            : await ReadAsync(
                Sql.List, cancellationToken, ("@before", query.Before), ("@limit", query.Limit), ("@from", from), ("@until", until));
    }

    /// <inheritdoc/>
    public async ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        Convert.ToInt64(await StepAsync((connection, givenUp) => ScalarAsync(connection, Sql.Count, givenUp), cancellationToken), null);

    /// <inheritdoc/>
    public async ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        SetMarkRequest.ThrowIfInvalid(request);
        var resource = SqlKey.Encode(request.Resource);

        // The mark and the own registration as they are now: a step that is carried out late finds others, and leaves them alone.
        var read = await StepAsync(
            (connection, givenUp) => RowsAsync(
                connection, Sql.ReadMark, static row => (Mark: row.GetInt64(0), Own: row.GetInt64(1)), givenUp, ("@resource", resource),
                ("@session", request.Session)),
            cancellationToken);
        var (mark, own) = read.Count == 0 ? default : read[0];
        var set = await StepAsync(
            (connection, givenUp) => ScalarAsync(
                connection, Sql.SetMark, givenUp, ("@resource", resource), ("@session", request.Session), ("@mark", request.Mark),
                ("@hold", request.InDoubtHold), ("@read", mark), ("@own", own), ("@actor", request.Actor), ("@reason", request.Reason)),
            cancellationToken);
        return Convert.ToBoolean(set, null);
    }

    /// <inheritdoc/>
    public async ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        // What there is now, and nothing else: a step that is carried out late leaves alone what came after the operator's word.
        var ended = await StepAsync(
            (connection, givenUp) => RowsAsync(
                connection, Sql.Ended, static row => (Session: row.GetString(0), Sequence: row.GetInt64(1)), givenUp,
                ("@resource", SqlKey.Encode(resource))),
            cancellationToken);
        foreach (var (session, sequence) in ended)
        {
            await WithdrawAsync(session, [new Registration(resource, sequence)], cancellationToken);
        }

        return ended.Count;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await CloseAsync("The token store is closed.");
        GC.SuppressFinalize(this);
    }

    /// <summary>What an opening needs; nothing is sent yet.</summary>
    /// <exception cref="ArgumentException">The connection string is none.</exception>
    private protected abstract (ISqlConnections Connections, ISqlListener Listener) Connect();

    /// <summary>What the server promises, by its settings as they are now.</summary>
    /// <exception cref="TokenStoreUnavailableException">The server is none for this store.</exception>
    private protected abstract Task<TokenStoreInfo> ReadInfoAsync(
        DbConnection connection, string location, CancellationToken cancellationToken);

    /// <summary>Makes or migrates the tables; their epoch.</summary>
    /// <exception cref="TokenStoreUnavailableException">They are too new, or may not be made.</exception>
    private protected abstract Task<string> EnsureTablesAsync(
        DbConnection connection, string location, CancellationToken cancellationToken);

    private protected abstract ValueTask<Heartbeat> BeatAsync(string session, CancellationToken cancellationToken);

    private protected async Task<int> ExecuteAsync(
        DbConnection connection, string sql, CancellationToken cancellationToken, params (string, object)[] parameters)
    {
        await using var command = Sql.Command(connection, sql, parameters);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private protected ValueTask<T> StepAsync<T>(Func<DbConnection, CancellationToken, Task<T>> call, CancellationToken cancellationToken) =>
        Open().StepAsync(call, cancellationToken);

    private protected ValueTask<T> OfSessionAsync<T>(Func<DbConnection, CancellationToken, Task<T>> call, CancellationToken cancellationToken) =>
        Open().OfSessionAsync(call, cancellationToken);

    private (ISqlConnections Connections, ISqlListener Listener) ConnectOrRefuse()
    {
        try
        {
            return Connect();
        }
        catch (ArgumentException e)
        {
            throw new TokenStoreUnavailableException($"The connection string of {_product} is not valid: {e.Message}", e)
            {
                NotTaken = true,
            };
        }
    }

    private ISqlConnections Open() => Volatile.Read(ref _connections)
        ?? throw new TokenStoreUnavailableException(_fault ?? "The token store is closed.") { NotTaken = true };

    private async ValueTask CloseAsync(string fault)
    {
        _fault = fault;
        if (Interlocked.Exchange(ref _listener, null) is { } listener)
        {
            await listener.DisposeAsync();
        }

        // Gives up what is still under way.
        if (Interlocked.Exchange(ref _connections, null) is { } connections)
        {
            await connections.DisposeAsync();
        }
    }

    /// <summary>
    /// Now and then: what the server promises by now, and a batch of what sessions have left that nothing can depend on any more. No
    /// heartbeat waits for it; it ends with the connections at the latest.
    /// </summary>
    private async Task KeepUpAsync()
    {
        try
        {
            var (before, now) = (_info, await OfSessionAsync(
                (connection, givenUp) => ReadInfoAsync(connection, Open().Location, givenUp), CancellationToken.None));
            _info = now;
            if (now.Grade != before.Grade)
            {
                SqlStoreLog.GradeChanged(Logger, now.Location, now.Grade, before.Grade, string.Join(' ', now.GradeReasons));
            }

            if (await ForgetLongEndedAsync(CancellationToken.None))
            {
                _beatsUntilUpkeep = 0;
            }
        }
        catch (TokenStoreUnavailableException e)
        {
            SqlStoreLog.UpkeepFailed(Logger, e.Message);
        }
    }

    /// <summary>A batch; whether there is more. Whoever only reads leaves it alone.</summary>
    private async ValueTask<bool> ForgetLongEndedAsync(CancellationToken cancellationToken)
    {
        var sessions = await OfSessionAsync(
            (connection, givenUp) => RowsAsync(connection, Sql.LongEnded, static row => row.GetString(0), givenUp), cancellationToken);
        foreach (var session in sessions)
        {
            if (await WithdrawSomeAsync(session, cancellationToken))
            {
                return true;
            }

            await OfSessionAsync(
                (connection, givenUp) => ExecuteAsync(connection, Sql.Forget, givenUp, ("@session", session)), cancellationToken);
        }

        return false;
    }

    /// <summary>A batch of a session's registrations; false when it has none.</summary>
    private async ValueTask<bool> WithdrawSomeAsync(string session, CancellationToken cancellationToken)
    {
        var registrations = await StepAsync(
            (connection, givenUp) => RowsAsync(
                connection, Sql.Registrations,
                static row => new Registration(SqlKey.Decode(row.GetFieldValue<byte[]>(0)), row.GetInt64(1)), givenUp,
                ("@session", session), ("@limit", Registration.MaxBatch)),
            cancellationToken);
        if (registrations.Count == 0)
        {
            return false;
        }

        await WithdrawAsync(session, registrations, cancellationToken);
        return true;
    }

    private ValueTask<List<MarkRecord>> ReadAsync(
        string sql, CancellationToken cancellationToken, params (string, object)[] parameters) => StepAsync(
        async (connection, givenUp) =>
        {
            await using var command = Sql.Command(connection, sql, parameters);
            await using var reader = await command.ExecuteReaderAsync(givenUp);
            return await SqlRecords.ReadAsync(reader, givenUp);
        },
        cancellationToken);

    private async Task<object?> ScalarAsync(
        DbConnection connection, string sql, CancellationToken cancellationToken, params (string, object)[] parameters)
    {
        await using var command = Sql.Command(connection, sql, parameters);
        return await command.ExecuteScalarAsync(cancellationToken);
    }

    private async Task<List<T>> RowsAsync<T>(
        DbConnection connection, string sql, Func<DbDataReader, T> read, CancellationToken cancellationToken,
        params (string, object)[] parameters)
    {
        await using var command = Sql.Command(connection, sql, parameters);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        List<T> rows = [];
        while (await reader.ReadAsync(cancellationToken))
        {
            rows.Add(read(reader));
        }

        return rows;
    }
}
