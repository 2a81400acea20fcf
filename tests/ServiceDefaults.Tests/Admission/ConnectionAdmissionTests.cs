using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.ServiceDefaults.Tests.Admission;

/// <summary>Each rule of the policy for connections, without a connection.</summary>
public sealed class ConnectionAdmissionTests : IDisposable
{
    private readonly LogRecorder _logs = new();
    private readonly ServiceProvider _services;
    private readonly MeterListener _meters = new();
    private readonly ConcurrentQueue<string> _measured = [];
    private readonly List<string> _gaveWay = [];

    public ConnectionAdmissionTests()
    {
        _services = new ServiceCollection().AddMetrics().AddLogging(logging => logging.AddProvider(_logs)).BuildServiceProvider();
        _meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Scope == _services.GetRequiredService<IMeterFactory>()) listener.EnableMeasurementEvents(instrument);
        };
        _meters.SetMeasurementEventCallback<long>((instrument, value, tags, _) => _measured.Enqueue(
            string.Join(' ', [$"{instrument.Name}={value}", .. tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}")])));
        _meters.Start();
    }

    public void Dispose()
    {
        _meters.Dispose();
        _services.Dispose();
    }

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public void AddressAtItsBound_LosesItsOldest_AndOthersLoseNothing()
    {
        var admission = Admission(new(2, 100, 100, 100));
        Admit(admission, "192.0.2.1", "a1");
        Admit(admission, "192.0.2.2", "b1");
        Admit(admission, "192.0.2.1", "a2");
        Admit(admission, "192.0.2.1", "a3");
        Admit(admission, "192.0.2.1", "a4");

        Assert.Equal(["a1", "a2"], _gaveWay);
        Assert.Equal((3, 2), (admission.Unauthenticated, admission.Addresses));
    }

    [Theory]
    [InlineData("2001:db8:1:1::1", "2001:db8:1:1:ffff::2", true)]
    [InlineData("2001:db8:1:1::1", "2001:db8:1:2::1", false)]
    [InlineData("192.0.2.1", "::ffff:192.0.2.1", true)]
    [InlineData("192.0.2.1", "192.0.2.2", false)]
    [InlineData("127.0.0.1", "127.0.0.1", true)]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public void Address_IsAnIPv4Address_OrTheNetworkOfAnIPv6Address_AndLoopbackIsNoException(string one, string other, bool isSame)
    {
        var admission = Admission(new(1, 100, 100, 100));
        Admit(admission, one, "one");
        Admit(admission, other, "other");

        Assert.Equal(isSame ? ["one"] : [], _gaveWay);
    }

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public void TotalOfStrangers_TakesFromTheAddressThatHasMost_NotFromTheOldestOfAll()
    {
        var admission = Admission(new(10, 4, 100, 100));
        Admit(admission, "192.0.2.1", "guest");
        Admit(admission, "192.0.2.66", "flood1");
        Admit(admission, "192.0.2.66", "flood2");
        Admit(admission, "192.0.2.66", "flood3");
        Admit(admission, "192.0.2.66", "flood4");
        Admit(admission, "192.0.2.3", "page");

        Assert.Equal(["flood1", "flood2"], _gaveWay);
        Assert.Equal(4, admission.Unauthenticated);
    }

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public void TotalOfStrangers_OfOneConnectionEach_TakesTheOldest()
    {
        var admission = Admission(new(10, 3, 100, 100));
        for (var i = 1; i <= 5; i++) Admit(admission, $"192.0.2.{i}", $"{i}");

        Assert.Equal(["1", "2"], _gaveWay);
        Assert.Equal(3, admission.Addresses);
    }

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public void AuthenticatedConnection_NeverGivesWay_AndFreesThePlaceOfAStranger()
    {
        var admission = Admission(new(1, 1, 100, 100));
        var known = Admit(admission, "192.0.2.1", "known");
        Assert.True(known!.TryAuthenticate());
        for (var i = 0; i < 10; i++) Admit(admission, "192.0.2.1", $"{i}");

        Assert.Equal(9, _gaveWay.Count);
        Assert.DoesNotContain("known", _gaveWay);
        Assert.Equal((1, 1), (admission.Unauthenticated, admission.Authenticated));
    }

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public void Total_IsOfBothClasses_StrangersGiveWay_AndWithoutThemTheNewOneIsRefused()
    {
        var admission = Admission(new(10, 10, 10, 3));
        Admit(admission, "192.0.2.1", "known1")!.TryAuthenticate();
        Admit(admission, "192.0.2.2", "known2")!.TryAuthenticate();
        Admit(admission, "192.0.2.3", "stranger");
        var third = Admit(admission, "192.0.2.4", "known3");
        Assert.Equal(["stranger"], _gaveWay);

        Assert.True(third!.TryAuthenticate());
        Assert.Null(Admit(admission, "192.0.2.5", "late"));
        Assert.Equal((3, 3), (admission.Count, admission.Addresses));

        third.Dispose();
        Assert.NotNull(Admit(admission, "192.0.2.5", "late"));
    }

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public void AuthenticatedConnectionsOfOneAddress_AreBounded_AndTheRestStaysUnauthenticated()
    {
        var admission = Admission(new(10, 10, 2, 100));
        Assert.True(Admit(admission, "192.0.2.1", "1")!.TryAuthenticate());
        var second = Admit(admission, "192.0.2.1", "2")!;
        Assert.True(second.TryAuthenticate());
        var third = Admit(admission, "192.0.2.1", "3")!;

        Assert.False(third.TryAuthenticate());
        Assert.True(Admit(admission, "192.0.2.2", "other")!.TryAuthenticate());
        Assert.Equal((1, 3), (admission.Unauthenticated, admission.Authenticated));
        second.Dispose();
        Assert.True(third.TryAuthenticate());
        Assert.True(third.TryAuthenticate());
        Assert.Equal((0, 3), (admission.Unauthenticated, admission.Authenticated));
    }

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public void ConnectionThatLosesItsAuthentication_GivesWayAgain_AsTheYoungest()
    {
        var admission = Admission(new(2, 100, 100, 100));
        var known = Admit(admission, "192.0.2.1", "known")!;
        known.TryAuthenticate();
        Admit(admission, "192.0.2.1", "1");
        Admit(admission, "192.0.2.1", "2");

        known.LoseAuthentication();
        Assert.Equal(["1"], _gaveWay);
        Admit(admission, "192.0.2.1", "3");
        Admit(admission, "192.0.2.1", "4");
        Assert.Equal(["1", "2", "known"], _gaveWay);
        Assert.False(known.TryAuthenticate());
        Assert.Equal((2, 0), (admission.Unauthenticated, admission.Authenticated));
    }

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public void LostAuthentication_AtABoundOfOne_KeepsTheConnection()
    {
        var admission = Admission(new(1, 1, 100, 100));
        var known = Admit(admission, "192.0.2.1", "known")!;
        known.TryAuthenticate();
        Admit(admission, "192.0.2.1", "1");

        known.LoseAuthentication();
        Assert.Equal(["1"], _gaveWay);
        known.Dispose();
        Assert.Equal((0, 0), (admission.Count, admission.Addresses));
    }

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public void Place_IsReleasedOnce_FromEachClass_AndAfterGivingWay()
    {
        var admission = Admission(new(2, 10, 10, 10));
        var gone = Admit(admission, "192.0.2.1", "gone")!;
        var stranger = Admit(admission, "192.0.2.1", "stranger")!;
        var known = Admit(admission, "192.0.2.2", "known")!;
        known.TryAuthenticate();
        var last = Admit(admission, "192.0.2.1", "last")!;
        Assert.Equal(["gone"], _gaveWay);

        for (var i = 0; i < 2; i++)
        {
            foreach (var connection in (AdmittedConnection[])[gone, stranger, known]) connection.Dispose();
            Assert.Equal((1, 0, 1), (admission.Unauthenticated, admission.Authenticated, admission.Addresses));
        }

        stranger.LoseAuthentication();
        known.LoseAuthentication();
        Assert.False(known.TryAuthenticate());
        Assert.Equal((1, 1), (admission.Count, admission.Addresses));
        last.Dispose();
        Assert.Equal((0, 0), (admission.Count, admission.Addresses));
    }

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public void LimitThatActs_IsMeasuredAndLogged_WithoutTheAddress()
    {
        var admission = Admission(new(2, 2, 1, 2));
        Admit(admission, "192.0.2.1", "1")!.TryAuthenticate();
        var second = Admit(admission, "192.0.2.1", "2")!;
        second.TryAuthenticate();
        Admit(admission, "192.0.2.2", "3")!.TryAuthenticate();
        Admit(admission, "192.0.2.3", "4");

        Assert.Equal(
            [
                "connections.limited=1 part=test limit=authenticated_of_address action=refused",
                "connections.limited=1 part=test limit=total action=gave_way",
                "connections.limited=1 part=test limit=total action=refused",
            ],
            _measured);
        Assert.Contains("test: the oldest unauthenticated connection gave way", _logs.Text, StringComparison.Ordinal);
        Assert.Contains("test: a connection was refused; the limit is total", _logs.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("192.0.2", _logs.Text, StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public void ManyThreadsAtOnce_NeverPassABound_AndLeaveNothing()
    {
        const int Threads = 16;
        var admission = Admission(new(8, 40, 30, 100));
        var (most, mostKnown, gaveWay, evicted) = (0, 0, 0, 0);
        using var start = new Barrier(Threads);
        var threads = Enumerable.Range(0, Threads).Select(number => new Thread(() =>
        {
            var random = new Random(number);
            Queue<AdmittedConnection> mine = [];
            start.SignalAndWait();
            for (var i = 0; i < 20_000; i++)
            {
                var address = new IPAddress([192, 0, 2, (byte)random.Next(random.Next(2) == 0 ? 1 : 50)]);
                if (admission.TryAdmit(address, () => Interlocked.Increment(ref gaveWay)) is { } connection)
                {
                    if (random.Next(3) == 0) connection.TryAuthenticate();
                    if (random.Next(5) == 0) connection.LoseAuthentication();
                    mine.Enqueue(connection);
                }

                Max(ref most, admission.Unauthenticated);
                Max(ref mostKnown, admission.Authenticated);
                if (mine.Count > random.Next(20)) mine.Dequeue().Dispose();
            }

            foreach (var connection in mine) connection.Dispose();
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        evicted = _measured.Count(measurement => measurement.EndsWith("gave_way", StringComparison.Ordinal));

        Assert.InRange(most, 30, 40);
        Assert.InRange(mostKnown, 40, 100);
        Assert.Equal(evicted, gaveWay);
        Assert.Equal((0, 0, 0), (admission.Unauthenticated, admission.Authenticated, admission.Addresses));
    }

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public void ManyAddresses_LeaveNoEntry()
    {
        var admission = Admission(new(8, 100, 100, 1000));
        for (var i = 0; i < 50_000; i++)
            Assert.NotNull(admission.TryAdmit(new IPAddress([10, (byte)(i >> 16), (byte)(i >> 8), (byte)i]), () => { }));
        Assert.Equal((100, 100), (admission.Count, admission.Addresses));
    }

    private static void Max(ref int most, int value)
    {
        for (int seen; value > (seen = Volatile.Read(ref most));) Interlocked.CompareExchange(ref most, value, seen);
    }

    private AdmittedConnection? Admit(ConnectionAdmission admission, string address, string name) =>
        admission.TryAdmit(IPAddress.Parse(address), () => _gaveWay.Add(name));

    private ConnectionAdmission Admission(ConnectionLimits limits) => new(
        "test", limits, _services.GetRequiredService<IMeterFactory>(), _services.GetRequiredService<ILogger<ConnectionAdmission>>());
}
