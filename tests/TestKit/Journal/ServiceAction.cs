namespace FenceGateway.TestKit;

/// <summary>What the <see cref="JournalService"/> does with a request.</summary>
public abstract record ServiceAction
{
    private ServiceAction()
    {
    }

    /// <summary>Reads the body, then waits for the test: see <see cref="ServiceArrival"/>.</summary>
    public static ServiceAction Hold { get; } = new HoldAction();

    /// <summary>Reads the body, applies the request and answers.</summary>
    public static ServiceAction Apply(int status = 200, string body = "") =>
        new AnswerAction(status, body, Applied: true, Early: false);

    /// <summary>Reads the body and answers without any effect.</summary>
    public static ServiceAction Refuse(int status, string body = "") =>
        new AnswerAction(status, body, Applied: false, Early: false);

    /// <summary>Answers without reading the body, without any effect.</summary>
    public static ServiceAction AnswerEarly(int status, string body = "") =>
        new AnswerAction(status, body, Applied: false, Early: true);

    /// <summary>Reads the body, applies the request or not, and resets the connection instead of answering.</summary>
    public static ServiceAction Reset(bool applied) => new ResetAction(applied);

    internal sealed record HoldAction : ServiceAction;

    internal sealed record AnswerAction(int Status, string Body, bool Applied, bool Early) : ServiceAction;

    internal sealed record ResetAction(bool Applied) : ServiceAction;
}
