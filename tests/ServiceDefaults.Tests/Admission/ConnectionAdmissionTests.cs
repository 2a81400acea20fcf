using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.ServiceDefaults.Tests.Admission;

/// <summary>Each rule of the policy for connections, without a connection.</summary>
[Collection(HeapTests.Name)]
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
        _meters.ListenTo(_services.GetRequiredService<IMeterFactory>());
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
        Assert.Equal(3, admission.Unauthenticated);
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
        var admission = Admission(new(20, 10, 100, 100));
        Admit(admission, "192.0.2.1", "guest");
        for (var i = 1; i <= 10; i++) Admit(admission, "192.0.2.66", $"flood{i}");
        Admit(admission, "192.0.2.3", "page");

        Assert.Equal(["flood1", "flood2"], _gaveWay);
        Assert.Equal(10, admission.Unauthenticated);
    }

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public void FloodOfAddressesWithOneConnectionEach_TakesNoneOfABrowserThatIsYounger()
    {
        var admission = Admission(new(20, 50, 100, 100));
        for (var i = 1; i <= 50; i++) Admit(admission, $"192.0.2.{i}", $"flood{i}");
        for (var i = 1; i <= 8; i++) Admit(admission, "198.51.100.1", $"browser{i}");
        for (var i = 51; i <= 80; i++) Admit(admission, $"192.0.2.{i}", $"flood{i}");

        Assert.Equal(Enumerable.Range(1, 38).Select(i => $"flood{i}"), _gaveWay);
        Assert.Equal(50, admission.Unauthenticated);
    }

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public void TotalOfStrangers_OfOneConnectionEach_TakesTheOldest()
    {
        var admission = Admission(new(10, 3, 100, 100));
        for (var i = 1; i <= 5; i++) Admit(admission, $"192.0.2.{i}", $"{i}");

        Assert.Equal(["1", "2"], _gaveWay);
        Assert.Equal(3, admission.Count);
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
        Assert.Equal(3, admission.Count);

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

        known.Demote();
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

        known.Demote();
        Assert.Equal(["1"], _gaveWay);
        known.Dispose();
        Assert.Equal(0, admission.Count);
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
            Assert.Equal((1, 0), (admission.Unauthenticated, admission.Authenticated));
        }

        stranger.Demote();
        known.Demote();
        Assert.False(known.TryAuthenticate());
        Assert.Equal(1, admission.Count);
        last.Dispose();
        Assert.Equal(0, admission.Count);
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
        Assert.Contains("test: the oldest connection that may give way was closed", _logs.Text, StringComparison.Ordinal);
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
        var (most, mostKnown, gaveWay) = (0, 0, 0);
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
                    if (random.Next(4) == 0) connection.TryActivate();
                    if (random.Next(3) == 0) connection.TryAuthenticate();
                    if (random.Next(5) == 0) connection.Demote();
                    mine.Enqueue(connection);
                }

                Max(ref most, admission.Unauthenticated);
                Max(ref mostKnown, admission.Count);
                if (mine.Count > random.Next(20)) mine.Dequeue().Dispose();
            }

            foreach (var connection in mine) connection.Dispose();
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        var evicted = _measured.Count(measurement => measurement.EndsWith("gave_way", StringComparison.Ordinal));

        Assert.InRange(most, 30, 40);
        Assert.InRange(mostKnown, 40, 100);
        Assert.Equal(evicted, gaveWay);
        Assert.Equal(0, admission.Count);
    }

    [Fact]
    [Requirement("SEC-1")]
    public void ConnectionWithARequest_GivesWayOnlyIfNoIdleOneIsLeft_AndIsIdleAfterIt()
    {
        var admission = Admission(new(10, 10, 10, 3));
        var first = Admit(admission, "192.0.2.1", "first")!;
        Assert.True(first.TryActivate());
        Assert.True(Admit(admission, "192.0.2.1", "second")!.TryActivate());
        Admit(admission, "192.0.2.2", "idle");
        Assert.True(Admit(admission, "192.0.2.3", "third")!.TryActivate());
        Assert.Equal(["idle"], _gaveWay);

        Admit(admission, "192.0.2.4", "fourth");
        Assert.Equal(["idle", "first"], _gaveWay);
        Assert.False(first.TryActivate());
        Admit(admission, "192.0.2.5", "fifth")!.TryAuthenticate();
        Assert.Equal(["idle", "first", "fourth"], _gaveWay);
        Assert.Equal((0, 1, 3), (admission.Unauthenticated, admission.Authenticated, admission.Count));
    }

    [Fact]
    [Requirement("SEC-1")]
    public void ConnectionWhoseRequestIsOver_IsTheYoungestIdleOne()
    {
        var admission = Admission(new(2, 10, 10, 10));
        var busy = Admit(admission, "192.0.2.1", "busy")!;
        Admit(admission, "192.0.2.1", "idle");
        busy.TryActivate();
        busy.Demote();
        Admit(admission, "192.0.2.1", "new");
        Assert.Equal(["idle"], _gaveWay);
    }

    [Fact]
    [Requirement("SEC-1")]
    public void RequestsOfOneAddress_AreBounded()
    {
        var admission = Admission(new(1, 10, 10, 10));
        Assert.True(Admit(admission, "192.0.2.1", "1")!.TryActivate());
        Assert.False(Admit(admission, "192.0.2.1", "2")!.TryActivate());
        Assert.True(Admit(admission, "192.0.2.1", "3")!.TryAuthenticate());
        Assert.True(Admit(admission, "192.0.2.2", "4")!.TryActivate());
    }

    [Fact]
    [Requirement("SEC-1")]
    [Requirement("SEC-2")]
    public void ManyAddresses_LeaveNoMemory()
    {
        var admission = new ConnectionAdmission(
            "test", new(8, 100, 100, 1000), _services.GetRequiredService<IMeterFactory>(), NullLogger<ConnectionAdmission>.Instance);
        AdmitMany(20_000);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        AdmitMany(200_000);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 200_000);
        Assert.Equal(100, admission.Count);

        void AdmitMany(int count)
        {
            for (var i = 0; i < count; i++)
            {
                var connection = admission.TryAdmit(new IPAddress([10, (byte)(i >> 16), (byte)(i >> 8), (byte)i]), () => { })!;
                if (i % 3 != 0) continue;
                connection.TryAuthenticate();
                connection.Dispose();
            }

            _measured.Clear();
        }
    }

    [Fact]
    [Requirement("SEC-1")]
    public void ConnectionsOfAProxy_CountOnlyInTotal()
    {
        var admission = new ConnectionAdmission(
            "test", new(1, 4, 1, 100), _services.GetRequiredService<IMeterFactory>(), NullLogger<ConnectionAdmission>.Instance)
        {
            Proxies = KnownProxies.NetworksOf(["10.1.0.0/16", "2001:db8::7"]),
        };
        foreach (var address in (string[])["10.1.0.1", "10.1.0.1", "::ffff:10.1.0.1", "2001:db8::7"])
            Assert.True(Admit(admission, address, address)!.TryActivate());
        Assert.Equal(4, admission.Count);
        Assert.Equal("Part:KnownProxies 'x' is neither an address nor a range such as 10.1.0.0/16", Assert.Single(
            KnownProxies.Problems("Part:KnownProxies", ["10.1.0.0/16", "::1", "x"])));
    }

    [Theory]
    [InlineData("Max open files            400                  524288               files     ", 400)]
    [InlineData("Max open files            unlimited            unlimited            files     ", null)]
    [InlineData("Max processes             400                  400                  processes ", null)]
    [Requirement("ABUSE-57")]
    public void LimitOfOpenFiles_IsTheSoftOne(string line, int? limit) =>
        Assert.Equal(limit, FileDescriptors.LimitIn(["Limit  Soft Limit  Hard Limit  Units", line]));

    [Theory]
    [InlineData(1000, 100)]
    [InlineData(164, 100)]
    [InlineData(100, 50)]
    [InlineData(10, 5)]
    [InlineData(0, 1)]
    [Requirement("ABUSE-57")]
    public void Limits_FitIntoTheSocketsThatMayBeOpen(int sockets, int total) =>
        Assert.Equal(total, new ConnectionLimits(1, 1, 1, 100).Within(sockets).Total);

    private static void Max(ref int most, int value)
    {
        for (int seen; value > (seen = Volatile.Read(ref most));) Interlocked.CompareExchange(ref most, value, seen);
    }

    private AdmittedConnection? Admit(ConnectionAdmission admission, string address, string name) =>
        admission.TryAdmit(IPAddress.Parse(address), () => _gaveWay.Add(name));

    private ConnectionAdmission Admission(ConnectionLimits limits) => new(
        "test", limits, _services.GetRequiredService<IMeterFactory>(), _services.GetRequiredService<ILogger<ConnectionAdmission>>());
}
