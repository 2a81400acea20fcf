using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Turn.Hosting;

namespace WebRtcIms.Turn.Tests.Hosting;

/// <summary>Tokens under keys that this node does not have are reported in the log.</summary>
public sealed class UnknownKeyTests
{
    [Fact]
    public void UnknownKeys_AreNamedOnceAMinute()
    {
        var fixture = new EngineFixture();
        var time = new FakeTimeProvider();
        using var log = new LogRecorder();
        using var logging = LoggerFactory.Create(builder => builder.AddProvider(log));
        using var service = new EngineHostService([], fixture.Authenticator, time, logging.CreateLogger<EngineHostService>());

        service.LogUnknownKeys();
        Assert.Empty(log.Records);
        Come("k3");
        service.LogUnknownKeys();
        Assert.Contains("under the key k3,", Assert.Single(log.Records), StringComparison.Ordinal);

        Come("k4");
        time.Advance(TimeSpan.FromSeconds(59));
        service.LogUnknownKeys();
        Assert.Single(log.Records);

        time.Advance(TimeSpan.FromSeconds(1));
        service.LogUnknownKeys();
        Assert.Equal(2, log.Records.Count);
        Assert.Contains("under the key k4,", log.Records[1], StringComparison.Ordinal);

        // A known key is not reported.
        time.Advance(TimeSpan.FromMinutes(2));
        Come("k1");
        service.LogUnknownKeys();
        Assert.Equal(2, log.Records.Count);

        void Come(string kid)
        {
            var answer = fixture.NewClient(fixture.NewToken(kid).Native).TryAllocate();
            Assert.Equal(kid == "k1" ? StunError.None : StunError.Unauthenticated, answer!.Error);
        }
    }
}
