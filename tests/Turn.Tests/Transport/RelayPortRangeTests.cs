using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Transport.Relays;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>Relay ports cannot be foreseen (RFC 8656 §7.2, RFC 6056).</summary>
public sealed class RelayPortRangeTests
{
    private const int Min = 49152;
    private const int Max = 65535;
    private const int Bins = 64;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("TURN-B16")]
    public void Ports_AreDrawnEvenlyFromTheWholeRange(bool even)
    {
        const int Draws = 64_000;
        var range = new RelayPortRange(Min, Max, new Random(7));
        var histogram = new int[Bins];
        for (var i = 0; i < Draws; i++)
        {
            Assert.True(even ? range.TryTakeEven(withNext: false, out var port) : range.TryTake(out port));
            Assert.InRange(port, Min, Max);
            histogram[(port - Min) / ((Max - Min + 1) / Bins)]++;
            range.Return(port);
        }

        // 1000 are expected in each bin, with a standard deviation of 32.
        Assert.All(histogram, count => Assert.InRange(count, 850, 1150));
    }

    [Fact]
    [Requirement("TURN-B16")]
    public void NextPort_SaysNothingOfTheOneAfterIt()
    {
        var range = new RelayPortRange(Min, Max, new Random(7));
        List<int> steps = [];
        for (ushort before = 0, i = 0; i < 1000; i++)
        {
            Assert.True(range.TryTake(out var port));
            steps.Add(port - before);
            before = port;
        }

        Assert.InRange(steps.Distinct().Count(), 900, 1000);
        Assert.DoesNotContain(steps.CountBy(step => step), step => step.Value > 5);
    }

    [Fact]
    [Requirement("ABUSE-55")]
    public void EachPort_IsTakenOnce_UntilAllAreGone_AndAllCanBeReturned()
    {
        var range = new RelayPortRange(50000, 50009, new Random(7));
        List<ushort> taken = [];
        while (range.TryTake(out var port)) taken.Add(port);
        Assert.Equal(Enumerable.Range(50000, 10), taken.Order().Select(port => (int)port));
        Assert.False(range.TryTakeEven(withNext: true, out _));

        taken.ForEach(range.Return);
        Assert.Equal(10, range.FreeCount);
        Assert.True(range.TryTakeEven(withNext: true, out var even));
        Assert.Equal(0, even % 2);
        Assert.Equal(8, range.FreeCount);
    }

    [Fact]
    [Requirement("RFC8656-7.2")]
    public void EvenPort_IsEven_UntilNoneIsLeft()
    {
        var range = new RelayPortRange(50_001, 50_100, new Random(1));
        var taken = TakeAll((out ushort port) => range.TryTakeEven(withNext: false, out port));

        Assert.Equal(50, taken.Distinct().Count());
        Assert.All(taken, port => Assert.Equal(0, port % 2));
        Assert.Equal(50, range.FreeCount);
    }

    [Fact]
    [Requirement("RFC8656-7.2")]
    public void Pair_IsTheLastOneWithBothPortsFree()
    {
        var range = new RelayPortRange(50_000, 50_099, new Random(1));
        var all = TakeAll((out ushort port) => range.TryTake(out port));
        foreach (var port in all.Where(port => port % 4 != 0 && port != 50_063)) range.Return(port);

        foreach (var port in TakeAll((out ushort port) => range.TryTakeEven(withNext: true, out port)))
        {
            Assert.Equal(2, port % 4);
            Assert.NotEqual(50_062, port);
        }

        range.Return(50_063);
        Assert.Equal(50_062, Assert.Single(TakeAll((out ushort port) => range.TryTakeEven(withNext: true, out port))));
    }

    private delegate bool Taking(out ushort port);

    private static List<ushort> TakeAll(Taking take)
    {
        List<ushort> taken = [];
        while (take(out var port)) taken.Add(port);
        return taken;
    }
}
