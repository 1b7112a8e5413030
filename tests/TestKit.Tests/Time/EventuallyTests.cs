namespace FenceGateway.TestKit.Tests.Time;

public sealed class EventuallyTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(50);

    [Fact]
    public async Task IsSoAsync_AfterSomeQuestions_Returns()
    {
        var questions = 0;
        await Eventually.IsSoAsync(() => ++questions == 3, "the third question");
        questions.ShouldBe(3);
    }

    [Fact]
    public async Task IsSoAsync_Never_NamesWhatWasMissingAndAsksNoMore()
    {
        var questions = 0;
        (await Should.ThrowAsync<TimeoutException>(() => Eventually.IsSoAsync(() => ++questions < 0, "rain", Short))).Message.ShouldContain("rain");
        var asked = questions;
        var others = 0;
        await Eventually.IsSoAsync(() => ++others == 10, "ten questions of somebody else");
        questions.ShouldBeLessThanOrEqualTo(asked + 1);
    }

    [Fact]
    public async Task IsSoAsync_FailureThatMeansNotYet_AsksAgainAndTellsTheLastOne()
    {
        var questions = 0;
        await Eventually.IsSoAsync(
            () => ++questions == 3 ? Task.FromResult(true) : throw new IOException("away"), "back",
            isNotYet: e => e is IOException);
        (await Should.ThrowAsync<TimeoutException>(() => Eventually.IsSoAsync(
            () => throw new IOException("away"), "back", Short, e => e is IOException))).Message.ShouldContain("away");
    }

    [Fact]
    public async Task IsSoAsync_AnyOtherFailure_IsTheTests() =>
        await Should.ThrowAsync<InvalidOperationException>(() => Eventually.IsSoAsync(
            () => throw new InvalidOperationException(), "nothing", isNotYet: e => e is IOException));
}
