using System.Data.Common;

namespace FenceGateway.TokenStore.Sql;

/// <summary>
/// What the stores on SQL databases have in common. What a step has to decide is decided in the database, by one
/// statement; a store knows how its database is connected to, asked and listened to. Only the stores of this package
/// derive from it.
/// </summary>
public abstract partial class SqlTokenStore : ITokenStore
{
    private readonly string _product;
    private ISqlConnections? _connections;
    private ISqlListener? _listener;
    private string? _epoch;
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
    public event Action<ResourceChange>? Changed;

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
                    // Before: a server that is none for this store gets no tables. Afterwards: how they are kept counts
                    // as well.
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
    public async ValueTask<TimeSpan> StartSessionAsync(
        string session, TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        await OfSessionAsync(
            (connection, givenUp) => Sql.ExecuteAsync(
                connection, Sql.StartSession, givenUp, ("@session", session), ("@timeToLive", timeToLive)),
            cancellationToken);
        return timeToLive;
    }

    /// <inheritdoc/>
    public async ValueTask<Heartbeat> HeartbeatAsync(string session, CancellationToken cancellationToken)
    {
        var heartbeat = await BeatAsync(session, cancellationToken);
        KeepUpNowAndThen();
        return heartbeat;
    }

    /// <inheritdoc/>
    public async ValueTask EndSessionAsync(string session, bool isClean, CancellationToken cancellationToken)
    {
        await OfSessionAsync(
            (connection, givenUp) => Sql.ExecuteAsync(connection, Sql.EndSession, givenUp, ("@session", session)),
            cancellationToken);
        if (isClean)
        {
            while (await WithdrawSomeAsync(session, cancellationToken))
            {
            }
        }
    }

    /// <summary>Nothing is known without asking.</summary>
    public long PeekMark(ResourceKey resource) => 0;

    /// <inheritdoc/>
    public async ValueTask<EnterReply> EnterAsync(EnterRequest request, CancellationToken cancellationToken)
    {
        EnterRequest.ThrowIfInvalid(in request);
        var replies = await RowsAsync(
            Sql.Enter,
            static row => new EnterReply(
                (EnterStatus)row.GetInt32(0), new FencingToken(row.GetInt64(1)),
                TimeSpan.FromMicroseconds(row.GetInt64(2)), row.GetBoolean(3)),
            cancellationToken, ("@resource", SqlKey.Encode(request.Resource)), ("@session", request.Session),
            ("@token", request.Token.Value), ("@oldest", request.Oldest.Value), ("@sequence", request.Sequence),
            ("@hold", request.InDoubtHold));
        return replies[0];
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
                Sql.List, cancellationToken, ("@before", query.Before), ("@limit", query.Limit), ("@from", from),
                ("@until", until));
    }

    /// <inheritdoc/>
    public async ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        Convert.ToInt64(
            await StepAsync(
                (connection, givenUp) => Sql.ScalarAsync(connection, Sql.Count, givenUp), cancellationToken), null);

    /// <inheritdoc/>
    public async ValueTask<bool> SetMarkAsync(SetMarkRequest request, CancellationToken cancellationToken)
    {
        SetMarkRequest.ThrowIfInvalid(request);
        var resource = SqlKey.Encode(request.Resource);

        // The mark and the own registration as they are now: a step that is carried out late finds others, and leaves
        // them alone.
        var read = await RowsAsync(
            Sql.ReadMark, static row => (Mark: row.GetInt64(0), Own: row.GetInt64(1)), cancellationToken,
            ("@resource", resource),
            ("@session", request.Session));
        var (mark, own) = read.Count == 0 ? default : read[0];
        var set = await StepAsync(
            (connection, givenUp) => Sql.ScalarAsync(
                connection, Sql.SetMark, givenUp, ("@resource", resource), ("@session", request.Session),
                ("@mark", request.Mark),
                ("@hold", request.InDoubtHold), ("@read", mark), ("@own", own), ("@actor", request.Actor),
                ("@reason", request.Reason)),
            cancellationToken);
        return Convert.ToBoolean(set, null);
    }

    /// <inheritdoc/>
    public async ValueTask<int> ResolveAsync(ResourceKey resource, CancellationToken cancellationToken)
    {
        // What there is now, and nothing else: a step that is carried out late leaves alone what came after the
        // operator's word.
        var ended = await RowsAsync(
            Sql.Ended, static row => (Session: row.GetString(0), Sequence: row.GetInt64(1)), cancellationToken,
            ("@resource", SqlKey.Encode(resource)));
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

    private protected void Tell(ResourceChange change) => Changed?.Invoke(change);

    private protected ValueTask<T> StepAsync<T>(
        Func<DbConnection, CancellationToken, Task<T>> call, CancellationToken cancellationToken) =>
        Open().StepAsync(call, cancellationToken);

    private protected ValueTask<T> OfSessionAsync<T>(
        Func<DbConnection, CancellationToken, Task<T>> call, CancellationToken cancellationToken) =>
        Open().OfSessionAsync(call, cancellationToken);

    private (ISqlConnections Connections, ISqlListener Listener) ConnectOrRefuse()
    {
        try
        {
            return Connect();
        }
        catch (ArgumentException)
        {
            // The driver's words repeat an option's name, which may be the rest of a password with a ';' in it.
            throw TokenStoreUnavailableException.NothingTaken(
                $"The connection string of {_product} is not valid: it has an option, or a value, that its driver does "
                    + "not know.");
        }
    }

    private ISqlConnections Open() => Volatile.Read(ref _connections)
        ?? throw TokenStoreUnavailableException.NothingTaken(_fault ?? "The token store is closed.");

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

    private ValueTask<List<MarkRecord>> ReadAsync(
        string sql, CancellationToken cancellationToken, params (string, object)[] parameters) => StepAsync(
        async (connection, givenUp) =>
        {
            await using var command = Sql.Command(connection, sql, parameters);
            await using var reader = await command.ExecuteReaderAsync(givenUp);
            return await SqlRecords.ReadAsync(reader, givenUp);
        },
        cancellationToken);

    private ValueTask<List<T>> RowsAsync<T>(
        string sql, Func<DbDataReader, T> read, CancellationToken cancellationToken,
        params (string, object)[] parameters) =>
        StepAsync(
            (connection, givenUp) => Sql.RowsAsync(connection, sql, read, givenUp, parameters), cancellationToken);
}
