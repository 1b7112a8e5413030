namespace FenceGateway.TokenStore;

/// <summary>
/// Every call of a store goes through here: it ends within a bound, it is counted, and after several in a row that got
/// no answer calls are refused at once until a probe (a heartbeat, a new session, a withdrawal) gets through.
/// </summary>
internal sealed class StoreCalls(ITokenStore store, TimeSpan timeout, TimeProvider time, StoreMetrics metrics)
{
    private const int SilencesUntilRefused = 5;
    private int _silences;
    private volatile string? _fault;

    /// <summary>
    /// The store is part of this process: its calls are counted, and nothing else. Set before it is called by others.
    /// </summary>
    public bool IsLocal { get; set; }

    /// <summary>Why calls are refused at once; null while they are not.</summary>
    public string? Refusal => Volatile.Read(ref _silences) >= SilencesUntilRefused ? _fault : null;

    /// <summary>Makes a call that is refused while the store is away.</summary>
    /// <exception cref="TokenStoreUnavailableException">The store cannot tell, or did not within the bound.</exception>
    public ValueTask<T> RunAsync<TArgument, T>(
        StoreOperation operation, TArgument argument,
        Func<ITokenStore, TArgument, CancellationToken, ValueTask<T>> call,
        CancellationToken cancellationToken)
    {
        if (IsLocal)
        {
            metrics.Called(operation);
            return call(store, argument, cancellationToken);
        }

        if (Refusal is not { } refusal)
        {
            return ProbeAsync(operation, argument, call, cancellationToken);
        }

        metrics.Refused(operation);
        return ValueTask.FromException<T>(TokenStoreUnavailableException.NothingTaken(refusal));
    }

    /// <summary>Makes a call in any case; its success lets the others through again.</summary>
    public async ValueTask<T> ProbeAsync<TArgument, T>(
        StoreOperation operation, TArgument argument,
        Func<ITokenStore, TArgument, CancellationToken, ValueTask<T>> call,
        CancellationToken cancellationToken, TimeSpan? atMost = null)
    {
        metrics.Called(operation);
        var limit = atMost ?? timeout;
        using var bound = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(bound.Token, cancellationToken);
        var started = time.GetTimestamp();
        var outcome = StoreCallOutcome.Failed;
        try
        {
            // The wait ends at the bound even where the store's driver does not.
            var answer = await call(store, argument, either.Token).AsTask().WaitAsync(either.Token);
            outcome = StoreCallOutcome.Answered;
            Volatile.Write(ref _silences, 0);
            return answer;
        }
        catch (OperationCanceledException e) when (
            bound.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            outcome = StoreCallOutcome.TimedOut;
            throw Failed(
                operation, new TokenStoreUnavailableException($"The token store did not answer within {limit}.", e));
        }
        catch (OperationCanceledException)
        {
            outcome = StoreCallOutcome.Abandoned;
            throw;
        }
        catch (TokenStoreUnavailableException e) when (e.SessionEnded)
        {
            outcome = StoreCallOutcome.SessionEnded;
            throw;
        }
        catch (Exception e) when (e is not ArgumentException)
        {
            // Whatever it was, the store did not tell (R8).
            throw Failed(
                operation, e as TokenStoreUnavailableException ?? new($"The token store failed: {e.Message}", e));
        }
        finally
        {
            metrics.Ended(operation, outcome, time.GetElapsedTime(started));
        }
    }

    private TokenStoreUnavailableException Failed(StoreOperation operation, TokenStoreUnavailableException e)
    {
        if (TellsOfSilence(operation, e))
        {
            _fault = e.Message;
            Interlocked.Increment(ref _silences);
        }

        return e;
    }

    /// <summary>
    /// A step that was certainly not taken was answered, or it could not be sent and cost nothing; and what operators
    /// ask for may take its time in a store that serves. A session that cannot be kept is a sign in any case.
    /// </summary>
    private static bool TellsOfSilence(StoreOperation operation, TokenStoreUnavailableException e) => operation switch
    {
        StoreOperation.Read or StoreOperation.SetMark or StoreOperation.Resolve => false,
        StoreOperation.StartSession or StoreOperation.Heartbeat => true,
        _ => !e.NotTaken,
    };
}
