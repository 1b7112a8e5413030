namespace FenceGateway.TokenStore;

/// <summary>
/// A change of what others change as well: decided on what was read, and taken only if that still holds. Whoever loses
/// the race begins again with what won.
/// </summary>
internal static class CompareAndSet
{
    /// <summary>Lost races in a row before a call gives up. Each is somebody else's step that was taken.</summary>
    public const int MaxAttempts = 64;

    /// <summary>Tries until it is done.</summary>
    /// <param name="state">What was read.</param>
    /// <param name="attempt">Decides on it, and has it confirmed.</param>
    /// <param name="tooManyRaces">What is thrown when the race was lost <see cref="MaxAttempts"/> times.</param>
    public static async ValueTask<T> RunAsync<TState, T>(
        TState state, Func<TState, ValueTask<Attempt<TState, T>>> attempt, Func<Exception> tooManyRaces)
    {
        for (var i = 0; i < MaxAttempts; i++)
        {
            var ended = await attempt(state);
            if (ended.IsDone)
            {
                return ended.Answer;
            }

            state = ended.Next;
        }

        throw tooManyRaces();
    }
}

/// <summary>How one attempt ended.</summary>
internal readonly record struct Attempt<TState, T>
{
    private Attempt(bool isDone, T answer, TState next) => (IsDone, Answer, Next) = (isDone, answer, next);

    public bool IsDone { get; }

    /// <summary>The call's answer, once it is done.</summary>
    public T Answer { get; }

    /// <summary>What the next attempt is decided on.</summary>
    public TState Next { get; }

    public static Attempt<TState, T> Done(T answer) => new(true, answer, default!);

    /// <summary>The race was lost, or there is more to do: the next attempt begins with this.</summary>
    public static Attempt<TState, T> Again(TState next) => new(false, default!, next);
}
