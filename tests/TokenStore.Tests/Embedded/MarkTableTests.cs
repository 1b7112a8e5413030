using System.Runtime.CompilerServices;
using System.Text;
using FenceGateway.DurableLog;
using FenceGateway.TokenStore.Embedded;

namespace FenceGateway.TokenStore.Tests.Embedded;

public sealed class MarkTableTests
{
    [Fact]
    public void MarkEntry_Size_IsWhatTheDocumentsSay() => Unsafe.SizeOf<MarkEntry>().ShouldBe(40);

    [Fact]
    public void Recover_ManyResources_AreAllFoundAndTellTheirKeys()
    {
        const int Count = 200_000;
        var table = new MarkTable(maxResources: Count);
        for (var i = 0; i < Count; i++)
        {
            Recover(table, KeyOf(i), mark: i + 1, lsn: i + 1).ShouldBeTrue();
        }

        table.Count.ShouldBe(Count);
        for (var i = 0; i < Count; i++)
        {
            var hash = KeyText.Hash(KeyOf(i));
            var stripe = table.StripeOf(hash);
            ref var entry = ref stripe[stripe.Find(KeyOf(i), hash)];
            entry.Mark.ShouldBe(i + 1);
            Encoding.UTF8.GetString(stripe.KeyOf(in entry)).ShouldBe(KeyOf(i));
        }
    }

    [Fact]
    public void Find_KeysWithOneHash_AreToldApartByTheirText()
    {
        var stripe = new MarkStripe();
        const uint Hash = 0xABC00001;
        for (var i = 0; i < 50; i++)
        {
            var key = Encoding.UTF8.GetBytes($"key/{i}é");
            stripe.Find($"key/{i}é", Hash).ShouldBe(-1);
            stripe.Reserve(key.Length);
            stripe.Add(key, Hash).ShouldBe(i);
        }

        for (var i = 0; i < 50; i++)
        {
            stripe.Find($"key/{i}é", Hash).ShouldBe(i);
        }
    }

    [Fact]
    public void Recover_OlderChangeAfterNewer_IsPassedOver()
    {
        var table = new MarkTable(maxResources: 10);
        Recover(table, "a", mark: 4, lsn: 9).ShouldBeTrue();
        Recover(table, "a", mark: 50, lsn: 7).ShouldBeTrue();
        Recover(table, "a", mark: 3, lsn: 10).ShouldBeFalse("an advance never lowers a mark");
        var hash = KeyText.Hash("a");
        table.StripeOf(hash)[0].Mark.ShouldBe(4);
    }

    [Fact]
    public void Crc32C_CheckValue_IsTheStandardOne() => Crc32C.Of("123456789"u8).ShouldBe(0xE3069283u);

    // Some keys are not ASCII, some long enough to fill key chunks unevenly.
    private static string KeyOf(int i) =>
        i % 7 == 0 ? $"é/{i}" : i % 101 == 0 ? $"{i}/{new string('x', 900)}" : $"orders/{i}";

    private static bool Recover(MarkTable table, string key, long mark, long lsn)
    {
        var bytes = Encoding.UTF8.GetBytes(key);
        var buffer = new byte[2048];
        new LogRecord { Kind = RecordKind.Advance, Mark = mark, Key = bytes }.Write(buffer, lsn);
        var from = new ReadOnlySpan<byte>(buffer);
        LogRecord.TryRead(ref from, out var record).ShouldBeTrue();
        return table.Recover(in record);
    }
}
