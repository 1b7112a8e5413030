using FenceGateway.Fencing;
using FenceGateway.TestKit;
using FenceGateway.TokenStore.ZooKeeper;

namespace FenceGateway.TokenStore.Tests.ZooKeeper;

public sealed class JuteTests
{
    [Fact]
    public void Writer_AllKinds_AreReadBack()
    {
        var frame = new JuteWriter().Int(-2).Long(long.MinValue).Bool(true).Buffer([1, 2]).Text("é𝕏").Texts(["a", ""])
            .ToFrame();
        var reader = new JuteReader(frame);
        reader.Int().ShouldBe(frame.Length - 4);
        reader.Int().ShouldBe(-2);
        reader.Long().ShouldBe(long.MinValue);
        reader.Bool().ShouldBeTrue();
        reader.Buffer().ToArray().ShouldBe([1, 2]);
        reader.Text().ShouldBe("é𝕏");
        reader.Texts().ShouldBe(["a", ""]);
        reader.IsAtEnd.ShouldBeTrue();
    }

    [Theory]
    [InlineData(-2)]
    [InlineData(5)]
    [InlineData(int.MaxValue)]
    [InlineData(int.MinValue)]
    public void Reader_LengthThatDoesNotFit_IsRefusedBeforeAnythingIsAllocated(int length)
    {
        var data = new JuteWriter().Int(length).Int(0).ToData();
        Should.Throw<ZooKeeperProtocolException>(() => new JuteReader(data).Text());
        Should.Throw<ZooKeeperProtocolException>(() => new JuteReader(data).Texts());
        Should.Throw<ZooKeeperProtocolException>(() => new JuteReader(data).Buffer().ToArray());
    }

    [Fact]
    public void Reader_NoUtf8OrNoTruthValue_IsRefused()
    {
        Should.Throw<ZooKeeperProtocolException>(
            () => new JuteReader(new JuteWriter().Buffer([0xC3, 0x28]).ToData()).Text());
        Should.Throw<ZooKeeperProtocolException>(() => new JuteReader([2]).Bool());
    }

    [Fact]
    public void Parsers_AnyBytes_GiveAValueOrSayWhatIsWrong() => new RandomSeed().Run(random =>
    {
        var multi = ZooKeeperRequest.Multi(MultiOperation.Check("/a", -1));
        var data = ZooKeeperRequest.GetData("/a", watch: false);
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = new byte[random.Next(120)];
            random.NextBytes(bytes);
            for (var at = 0; at + 4 <= bytes.Length && random.Next(3) > 0; at += 4)
            {
                // Small numbers get further than random ones.
                (bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]) = (0, 0, 0, (byte)random.Next(20));
            }

            Try(() => ResourceNode.Parse(bytes));
            Try(() => SessionHandshake.Reply(bytes));
            Try(() => Parse(multi, bytes));
            Try(() => Parse(data, bytes));
        }
    });

    [Fact]
    public void ResourceNode_WithWritersAndNote_IsReadBackAndCutShortIsRefused()
    {
        var node = new ResourceNode(
            "orders/é", long.MaxValue, 7, 1_700_000_000_000,
            [new RegisteredWriter("a", 5, 1, null), new RegisteredWriter("b", long.MaxValue, long.MaxValue, null)],
            new OperatorNote("who", "why", 3));
        var data = node.ToData();
        var read = ResourceNode.Parse(data);
        read.Writers.ShouldBe(node.Writers);
        (read with { Writers = node.Writers }).ShouldBe(node);
        for (var length = 0; length < data.Length; length++)
        {
            Should.Throw<ZooKeeperProtocolException>(
                () => ResourceNode.Parse(data.AsSpan(0, length)), $"{length} bytes");
        }
    }

    [Fact]
    public void ResourceNode_OfANewerFormat_IsRefused() =>
        Should.Throw<ZooKeeperProtocolException>(() => ResourceNode.Parse(new JuteWriter().Int(2).Text("a").ToData()))
            .Message.ShouldContain("format 2");

    [Fact]
    public void Name_AnyKey_IsOneThatZooKeeperTakesAndNoOtherKeyHas() => new RandomSeed().Run(random =>
    {
        string[] parts = ["a", "A", "/", ".", "..", "%", "%2F", "~", "é", "𝕏", " ", "日", new string('x', 130)];
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < 5_000; i++)
        {
            var key = string.Concat(
                Enumerable.Range(0, 1 + random.Next(5)).Select(_ => parts[random.Next(parts.Length)]));
            var name = ZooKeeperPaths.Name(key);
            name.Length.ShouldBeLessThanOrEqualTo(120);
            name.ShouldAllBe(c => char.IsAsciiLetterOrDigit(c) || "-_:@=+,%~".Contains(c));
            names.TryAdd(name, key);
            names[name].ShouldBe(key);
            ZooKeeperPaths.MayBegin(name, key[..random.Next(key.Length)].TrimEnd('\uD835')).ShouldBeTrue($"{key}");
        }
    });

    [Theory]
    [InlineData("127.0.0.1:2181", "127.0.0.1:2181")]
    [InlineData(" a:1 , b ", "a:1,b:2181")]
    [InlineData("[::1]:99", "::1:99")]
    [InlineData("[::1]", "::1:2181")]
    public void ServerList_Servers_AreRead(string text, string expected) =>
        ServerList.Parse(text).ToString().ShouldBe(expected);

    [Theory]
    [InlineData("")]
    [InlineData(",")]
    [InlineData("a:0")]
    [InlineData("a:65536")]
    [InlineData("a:x")]
    [InlineData(":1")]
    [InlineData("a:1/chroot")]
    public void ServerList_NoServers_SaysWhatIsWrong(string text) =>
        Should.Throw<FormatException>(() => ServerList.Parse(text));

    [Theory]
    [InlineData("/")]
    [InlineData("a")]
    [InlineData("/a/")]
    [InlineData("/a//b")]
    [InlineData("/a.b")]
    [InlineData("/zookeeper/a")]
    public void Root_ThatCannotBe_SaysWhatIsWrong(string root) =>
        Should.Throw<FormatException>(() => ZooKeeperPaths.Parse(root));

    private static object? Parse<T>(ZooKeeperRequest<T> request, byte[] bytes)
    {
        var reader = new JuteReader(bytes);
        return request.Parse(ref reader);
    }

    private static void Try(Func<object?> parse)
    {
        try
        {
            _ = parse();
        }
        catch (ZooKeeperProtocolException)
        {
            // The only thing that may be thrown.
        }
    }
}
