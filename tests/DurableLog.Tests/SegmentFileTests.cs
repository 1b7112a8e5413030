namespace FenceGateway.DurableLog.Tests;

public sealed class SegmentFileTests
{
    [Fact]
    public void Write_BeyondTheLargestFile_FailsAsAWriteDoes()
    {
        var path = Path.GetTempFileName();
        try
        {
            using var file = SegmentFile.Create(path);

            // Half of what fits a long: more than most file systems take, and no argument error that a caller has to
            // know.
            if (Record.Exception(() => file.Write(long.MaxValue / 2, "x"u8)) is { } failure)
            {
                failure.ShouldBeAssignableTo<IOException>();
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Write_FlushAndTruncate_ReachTheFile()
    {
        var path = Path.GetTempFileName();
        try
        {
            using var file = SegmentFile.Create(path);
            file.Write(0, "0123456789"u8);
            file.Flush();
            file.Truncate(4);
            file.Write(4, "ab"u8);
            file.Flush();
            File.ReadAllText(path).ShouldBe("0123ab");
        }
        finally
        {
            File.Delete(path);
        }
    }
}
