using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace FenceGateway.Fencing.Tests;

public sealed class ResourceTemplateTests
{
    [Theory]
    [InlineData("orders/{id}", "orders/42")]
    [InlineData("{host}/orders/{id}", "a.example/orders/42")]
    [InlineData("{query:account}/{header:X-Region}", "7/eu")]
    [InlineData("all", "all")]
    [InlineData("orders/{id}.json", "orders/42.json")]
    public void Render_AllValuesThere_GivesTheKey(string template, string expected) =>
        Render(template, Values()).ShouldBe((RenderStatus.Rendered, expected));

    [Theory]
    [InlineData("{nothing}")]
    [InlineData("{query:nothing}")]
    [InlineData("orders/{header:Nothing}")]
    public void Render_ValueMissing_SaysSo(string template) =>
        Render(template, Values()).Status.ShouldBe(RenderStatus.Missing);

    [Fact]
    public void Render_ValueTwice_IsAmbiguous() =>
        Render("{query:twice}", Values()).Status.ShouldBe(RenderStatus.Ambiguous);

    [Fact]
    public void Render_SlashInQueryOrHeader_IsEscapedSoThatKeysStayApart()
    {
        Render("{query:slash}/{id}", Values()).Key.ShouldBe("a%2Fb/42");
        Render("{query:percent}", Values()).Key.ShouldBe("a%252Fb");
    }

    [Fact]
    public void Render_CaseInsensitive_FoldsEveryLetterThatHasOneCaseInCommon()
    {
        Render("Orders/{mixed}", Values(), caseInsensitive: true).Key.ShouldBe("orders/kelvin-k-s");
        Render("Orders/{mixed}", Values()).Key.ShouldBe("Orders/KelVin-\u212A-\u017F");
    }

    [Fact]
    public void Render_LongerThanAKey_SaysSo()
    {
        var values = new FakeValues(new() { ["id"] = new string('x', 1025) });
        Render("{id}", values).Status.ShouldBe(RenderStatus.TooLong);
        Render("{id}", new FakeValues(new() { ["id"] = new string('é', 513) })).Status.ShouldBe(RenderStatus.TooLong);
        Render("{id}", new FakeValues(new() { ["id"] = new string('é', 512) })).Status.ShouldBe(RenderStatus.Rendered);
    }

    [Theory]
    [InlineData("a\0b")]
    [InlineData("a\u0085b")]
    [InlineData("")]
    public void IsValid_ControlCharacter_IsNoKey(string text) => ResourceKey.IsValid(text).ShouldBeFalse();

    [Fact]
    public void IsValid_HalfASurrogatePair_IsNoKey() => ResourceKey.IsValid(['a', '\uD800', 'b']).ShouldBeFalse();

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("  ", "is empty")]
    [InlineData("a/{id", "without a '}'")]
    [InlineData("a/id}", "without a '{'")]
    [InlineData("a/{}", "unknown placeholder")]
    [InlineData("a/{cookie:x}", "unknown placeholder")]
    [InlineData("a/{query:}", "unknown placeholder")]
    [InlineData("{a}{b}", "apart")]
    [InlineData("{a}-{b}", "apart")]
    public void TryParse_Malformed_SaysWhatToMend(string template, string expected)
    {
        ResourceTemplate.TryParse(template, false, out _, out var error).ShouldBeFalse();
        error.ShouldContain(expected);
    }

    [Property]
    public Property Render_DifferentValues_NeverShareAKey()
    {
        // Characters that a request can carry in a header, the hostile ones among them.
        var text = Gen.NonEmptyListOf(Gen.Elements("a/%2Fb:".ToCharArray())).Select(cs => new string([.. cs]));
        var pairs = Gen.Two(Gen.Two(text)).ToArbitrary();
        return Prop.ForAll(pairs, p =>
        {
            var (first, second) = (Key(p.Item1), Key(p.Item2));
            return (first == second) == p.Item1.Equals(p.Item2);
        });

        static string Key((string A, string B) v) =>
            Render("{header:a}/{header:b}", new FakeValues(new() { ["a"] = v.A, ["b"] = v.B })).Key;
    }

    [Fact]
    public void Render_SteadyUse_AllocatesNothing()
    {
        ResourceTemplate.TryParse("orders/{id}", false, out var template, out _).ShouldBeTrue();
        var values = Values();
        Span<char> buffer = stackalloc char[ResourceKey.MaxBytes];
        var least = long.MaxValue;
        var started = TimeProvider.System.GetTimestamp();
        while (least > 0 && TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(20))
        {
            // Code that is not optimized yet boxes inside the framework; that ends when the runtime has compiled it
            // again, which it puts off while other tests keep it busy.
            var before = GC.GetAllocatedBytesForCurrentThread();
            template.Render(ref values, buffer, out _, out _);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        least.ShouldBe(0);
    }

    private static FakeValues Values() => new(new()
    {
        ["id"] = "42",
        ["account"] = "7",
        ["X-Region"] = "eu",
        ["slash"] = "a/b",
        ["percent"] = "a%2Fb",
        ["mixed"] = "KelVin-\u212A-\u017F",
        ["host"] = "a.example",
    });

    private static (RenderStatus Status, string Key) Render(
        string text, FakeValues values, bool caseInsensitive = false)
    {
        ResourceTemplate.TryParse(text, caseInsensitive, out var template, out var error).ShouldBeTrue(error);
        var buffer = new char[ResourceKey.MaxBytes];
        var status = template.Render(ref values, buffer, out var length, out _);
        return (status, new string(buffer, 0, length));
    }

    private readonly struct FakeValues(Dictionary<string, string> values) : IResourceValues
    {
        public ResourceValueStatus Find(ResourceTemplatePart part, out ReadOnlySpan<char> value)
        {
            value = default;
            var name = part.Kind == ResourceValueKind.Host ? "host" : part.Text;
            if (name == "twice")
            {
                return ResourceValueStatus.Ambiguous;
            }

            if (!values.TryGetValue(name, out var text))
            {
                return ResourceValueStatus.Missing;
            }

            value = text;
            return ResourceValueStatus.Found;
        }
    }
}
