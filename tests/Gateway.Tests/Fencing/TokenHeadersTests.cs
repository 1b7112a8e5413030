using FenceGateway.Fencing;
using FenceGateway.Gateway.Fencing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace FenceGateway.Gateway.Tests.Fencing;

public sealed class TokenHeadersTests
{
    private static readonly FencingPolicy Policy = FencingPolicies.WithHeaders("X-Fencing-Token");

    [Theory]
    [InlineData("Fencing-Token")]
    [InlineData("X-Fencing-Token")]
    public void Read_OneHeader_GivesItsToken(string name)
    {
        Read([(name, "42")], out var token).ShouldBe(TokenHeaderStatus.One);
        token.Value.ShouldBe(42);
    }

    [Fact]
    public void Read_NoHeader_IsNone()
    {
        Read([], out _).ShouldBe(TokenHeaderStatus.None);
        Read([("Fencing_Token", "42")], out _).ShouldBe(TokenHeaderStatus.None);
    }

    [Theory]
    [InlineData("Fencing-Token")]
    [InlineData("X-Fencing-Token")]
    [InlineData("Fencing_Token")]
    [InlineData("X_Fencing_Token")]
    [InlineData("X-Fencing_Token")]
    [InlineData("X_Fencing-Token")]
    [InlineData("Fencing.Token")]
    [InlineData("FENCING~token")]
    [InlineData("X!Fencing|Token")]
    public void Read_AnotherSpellingBeside_IsMalformed(string other)
    {
        Read([("Fencing-Token", "42"), (other, "42")], out _).ShouldBe(TokenHeaderStatus.Malformed);
        Read([("X-Fencing-Token", "42"), (other, "42")], out _).ShouldBe(TokenHeaderStatus.Malformed);
    }

    [Theory]
    [InlineData("fencing-token")]
    [InlineData("close, FENCING-TOKEN")]
    [InlineData("\tx-fencing-token ,close")]
    [InlineData("Fencing_Token")]
    [InlineData("close,Fencing.Token")]
    public void Read_NamedByConnection_IsMalformed(string connection)
    {
        Read([("Fencing-Token", "42"), ("Connection", connection)], out _).ShouldBe(TokenHeaderStatus.Malformed);
        Read([("Fencing-Token", "42"), ("Connection", "close"), ("Connection", connection)], out _)
            .ShouldBe(TokenHeaderStatus.Malformed);
        Read([("Connection", connection)], out _).ShouldBe(TokenHeaderStatus.Malformed);
    }

    [Fact]
    public void Read_WellFormed_AllocatesNothing()
    {
        var headers = Headers([("Fencing-Token", "42"), ("Connection", "close")]);
        TokenHeaders.Read(headers, Policy, mayHaveLookalike: true, out _, out _);
        var before = GC.GetAllocatedBytesForCurrentThread();
        TokenHeaders.Read(headers, Policy, mayHaveLookalike: true, out _, out _);
        GC.GetAllocatedBytesForCurrentThread().ShouldBe(before);
    }

    [Fact]
    public void Canonicalize_FromAnAlias_LeavesTheCanonicalHeaderAlone()
    {
        var headers = Headers([("X-Fencing-Token", "42"), ("X-Other", "kept")]);
        TokenHeaders.Canonicalize(headers, Policy, new FencingToken(42));
        headers["Fencing-Token"].ToString().ShouldBe("42");
        headers.Keys.ShouldBe(["X-Other", "Fencing-Token"], ignoreOrder: true);
    }

    [Fact]
    public void Strip_EverySpelling_IsGone()
    {
        var headers = Headers([
            ("Fencing-Token", "1"), ("X-Fencing-Token", "1"), ("Fencing_Token", "1"), ("X_Fencing_Token", "1"),
            ("X-Fencing_Token", "1"), ("X_Fencing-Token", "1"), ("X-Other", "kept"), ("Fencing+Token", "1"),
            ("x'fencing`token", "1"),
            ("FencingToken", "kept"),
        ]);
        TokenHeaders.Strip(headers, Policy);
        headers.Keys.ShouldBe(["X-Other", "FencingToken"], ignoreOrder: true);
    }

    [Fact]
    public void LookalikeOf_EveryTokenCharacter_IsFound()
    {
        foreach (var c in "!#$%&'*+.^_`|~")
        {
            TokenHeaders.LookalikeOf(Headers([("Accept", "*/*"), ($"fencing{c}Token", "42")]), Policy).ShouldBe(
                $"fencing{c}Token");
        }

        TokenHeaders.LookalikeOf(
            Headers([("Fencing-Token", "42"), ("FencingaToken", "42"), ("Fencing-Token-", "42")]),
            Policy).ShouldBeNull();
    }

    [Fact]
    public void Any_KnownNamesAndOthers_FindsLookalikesAndRefusedNamesOnly()
    {
        string[] refused = ["X-Method-Override"];
        var lengths = HeaderLookalikes.LengthsOf(Policy.TokenHeaders) | HeaderLookalikes.LengthsOf(refused);
        bool Any(params string[] names) =>
            HeaderLookalikes.Any(
                Headers([.. names.Select(name => (name, "1"))]), Policy.TokenHeaders, refused, lengths);

        Any("Fencing-Token", "fencing-token", "Accept", "FencingaToken", "X-Methodaoverride", new string('a', 64 + 13))
            .ShouldBeFalse();
        Any("Accept", "Fencing_Token").ShouldBeTrue();
        Any("Accept", "Fencing-Token", "x.fencing.token").ShouldBeTrue();
        Any("Accept", "x-method-override").ShouldBeTrue();
        Any("Accept", "X_METHOD_OVERRIDE").ShouldBeTrue();
    }

    private static TokenHeaderStatus Read((string, string)[] headers, out FencingToken token)
    {
        var status = TokenHeaders.Read(Headers(headers), Policy, mayHaveLookalike: true, out token, out var detail);
        (detail is not null).ShouldBe(status == TokenHeaderStatus.Malformed);
        return status;
    }

    private static HeaderDictionary Headers((string Name, string Value)[] headers)
    {
        var dictionary = new HeaderDictionary();
        foreach (var (name, value) in headers)
        {
            dictionary[name] = StringValues.Concat(dictionary[name], value);
        }

        return dictionary;
    }
}
