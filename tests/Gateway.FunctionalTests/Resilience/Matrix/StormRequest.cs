using FenceGateway.TestKit;

namespace FenceGateway.Gateway.FunctionalTests.Resilience.Matrix;

/// <summary>One request of a <see cref="RetryStorm"/>.</summary>
/// <param name="IsHonoured">Whether its route says that the service honours keys.</param>
internal sealed record StormRequest(
    string Id, HttpMethod Method, string Path, long? Token, bool HasKey, bool HasBody, bool IsHonoured)
{
    /// <summary>
    /// Whether a second one would do no harm: by its method, or since the service takes both for one.
    /// </summary>
    public bool MayBeSentTwice =>
        Method == HttpMethod.Get || Method == HttpMethod.Put || Method == HttpMethod.Delete || (HasKey && IsHonoured);

    public HttpRequestMessage ToMessage()
    {
        // With content, be it empty: a request without any may be sent again by the client itself when its connection
        // ends.
        var message =
            new HttpRequestMessage(Method, Path) { Content = new StringContent(HasBody ? $"the body of {Id}" : "") };
        message.Headers.Add(JournalService.RequestIdHeader, Id);
        if (Token is { } token)
        {
            message.Headers.Add("Fencing-Token", $"{token}");
        }

        if (HasKey)
        {
            message.Headers.Add("Idempotency-Key", $"\"key {Id}\"");
        }

        return message;
    }
}
