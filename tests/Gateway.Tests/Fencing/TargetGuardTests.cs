using System.Text;
using FenceGateway.Gateway.Fencing;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace FenceGateway.Gateway.Tests.Fencing;

public sealed class TargetGuardTests
{
    /// <summary>What paths are made of, and everything that some parser takes for more than a character.</summary>
    private static readonly string[] Pieces =
    [
        "/", "/", "/", "a", "b1", ".", "..", "-", "_", "~", ":", "@", "+", "orders", ";", ";v=2", "\\", "//", "#",
        "?x=/../", "%",
        "%2", "%zz", "%61", "%2e", "%2E", "%2f", "%2F", "%5c", "%25", "%252e", "%252F", "%3B", "%00", "%0a", "%7f",
        "%20", "%C3%A9",
        "%C0%AF", "%E0%80%AF", "%ED%A0%80", "%FF", "%C2%85", "%F0%9F%98%80", "http://host/", "é",
    ];

    private static readonly Arbitrary<string> Targets =
        Gen.Elements(Pieces).ArrayOf().Select(pieces => "/" + string.Concat(pieces)).ToArbitrary();

    [Property]
    public Property FindAmbiguity_WhatPasses_IsOnePathToEveryDecoder() =>
        Prop.ForAll(Targets, target =>
        {
            if (TargetGuard.FindAmbiguity(target) is not null)
            {
                return true;
            }

            var once = DecodeOnce(target);
            return Decoders().All(decode => decode(target) == once);
        });

    [Property]
    public Property FindAmbiguity_TwoTargetsThatADecoderTakesForOne_HaveOneDecodedPath() =>
        Prop.ForAll(Targets, Targets, (first, second) =>
        {
            if (TargetGuard.FindAmbiguity(first) is not null || TargetGuard.FindAmbiguity(second) is not null)
            {
                return true;
            }

            return Decoders().All(decode => decode(first) != decode(second) || DecodeOnce(first) == DecodeOnce(second));
        });

    [Fact]
    public void FindAmbiguity_GeneratedTargets_OftenPass()
    {
        var passed = Targets.Generator.Sample(1000).Count(t => TargetGuard.FindAmbiguity(t) is null);
        passed.ShouldBeGreaterThan(20, "the properties would say nothing");
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/orders/1")]
    [InlineData("/orders/1/")]
    [InlineData("/orders/%31")]
    [InlineData("/orders/...")]
    [InlineData("/orders/.hidden")]
    [InlineData("/orders/a..b")]
    [InlineData("/orders/a%20b")]
    [InlineData("/orders/%C3%A9")]
    [InlineData("/a:b@c!$&'()*+,=-._~")]
    [InlineData("/orders/1?x=//../%2F;\\")]
    [InlineData("http://host/orders/1")]
    [InlineData("http://host")]
    public void FindAmbiguity_OneReading_IsNull(string target) => TargetGuard.FindAmbiguity(target).ShouldBeNull();

    [Theory]
    [InlineData("", "no absolute path")]
    [InlineData("?x", "no absolute path")]
    [InlineData("//", "empty path segment")]
    [InlineData("/a//b", "empty path segment")]
    [InlineData("http://host//a", "empty path segment")]
    [InlineData("/.", "dot segment")]
    [InlineData("/..", "dot segment")]
    [InlineData("/a/../b", "dot segment")]
    [InlineData("/a/%2e%2E/b", "dot segment")]
    [InlineData("/a/.%2e", "dot segment")]
    [InlineData("/a;b", "';'")]
    [InlineData("/a%3bb", "';'")]
    [InlineData("/a\\b", "'\\'")]
    [InlineData("http://host\\a", "no absolute path")]
    [InlineData("/a%5cb", "'\\'")]
    [InlineData("/a#b", "'#'")]
    [InlineData("/a%2fb", "'/'")]
    [InlineData("/a%25b", "'%'")]
    [InlineData("/a%", "does not begin an escape")]
    [InlineData("/a%4", "does not begin an escape")]
    [InlineData("/a%4g", "does not begin an escape")]
    [InlineData("/a%/b", "does not begin an escape")]
    [InlineData("/a%00", "control character")]
    [InlineData("/a%C2%85", "control character")]
    [InlineData("/a%FF", "not UTF-8")]
    [InlineData("/a%C0%AF", "not UTF-8")]
    [InlineData("/a%C3/%A9", "not UTF-8")]
    [InlineData("/é", "more than a character")]
    public void FindAmbiguity_MoreThanOneReading_SaysWhy(string target, string why) =>
        TargetGuard.FindAmbiguity(target).ShouldNotBeNull().ShouldContain(why);

    [Fact]
    public void FindAmbiguity_SegmentLongerThanTheStackHolds_IsReadToItsEnd()
    {
        var segment = string.Concat(Enumerable.Repeat("%61", 5000));
        TargetGuard.FindAmbiguity($"/{segment}").ShouldBeNull();
        TargetGuard.FindAmbiguity($"/{segment}%2F").ShouldNotBeNull();
    }

    [Fact]
    public void FindAmbiguity_PlainTarget_AllocatesNothing()
    {
        TargetGuard.FindAmbiguity("/orders/1/lines?x=y");
        var before = GC.GetAllocatedBytesForCurrentThread();
        TargetGuard.FindAmbiguity("/orders/1/lines?x=y");
        TargetGuard.FindAmbiguity("/orders/%31/a%20b");
        GC.GetAllocatedBytesForCurrentThread().ShouldBe(before);
    }

    private static Func<string, string>[] Decoders() =>
    [
        target => Lenient(DecodeOnce(target)),
        target => DecodeOnce(Lenient(PathOf(target))),
        target => DecodeOnce(DecodeOnce(target)),
        target => DecodeOnce(target).Replace('\\', '/'),
        target => DecodeOnce(target).Split('\0')[0],
    ];

    /// <summary>Every escape of two digits becomes its byte; what is not UTF-8 is read byte by byte.</summary>
    private static string DecodeOnce(string target)
    {
        List<byte> bytes = [];
        var path = PathOf(target);
        for (var i = 0; i < path.Length; i++)
        {
            if (path[i] == '%' && i + 2 < path.Length && char.IsAsciiHexDigit(path[i + 1])
                && char.IsAsciiHexDigit(path[i + 2]))
            {
                bytes.Add(Convert.FromHexString(path.AsSpan(i + 1, 2))[0]);
                i += 2;
            }
            else
            {
                // A surrogate pair is one character: each half alone has no UTF-8.
                var length = char.IsHighSurrogate(path[i]) && i + 1 < path.Length ? 2 : 1;
                bytes.AddRange(Encoding.UTF8.GetBytes(path.Substring(i, length)));
                i += length - 1;
            }
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }

    /// <summary>Merges slashes, strips matrix parameters and removes dot segments (RFC 3986, section 5.2.4).</summary>
    private static string Lenient(string path)
    {
        List<string> kept = [];
        var segments = path.Split('/', StringSplitOptions.RemoveEmptyEntries).Select(s => s.Split(';')[0]).ToArray();
        foreach (var segment in segments)
        {
            if (segment == ".." && kept.Count > 0)
            {
                kept.RemoveAt(kept.Count - 1);
            }
            else if (segment is not ("." or ".." or ""))
            {
                kept.Add(segment);
            }
        }

        return "/" + string.Join('/', kept) + (path.EndsWith('/') && kept.Count > 0 ? "/" : "");
    }

    private static string PathOf(string target) => target.Split('?')[0];
}
