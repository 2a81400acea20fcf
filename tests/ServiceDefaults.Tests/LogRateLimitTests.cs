using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.ServiceDefaults.Tests;

/// <summary>Events that clients cause are limited, those of calls less, and those of an audit not at all.</summary>
public sealed class LogRateLimitTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly LogRecorder _log = new();
    private readonly IHost _host;

    public LogRateLimitTests()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(_log).AddSampler<LogRateLimit>();
        builder.Services.AddSingleton<TimeProvider>(_time).AddMetrics();
        _host = builder.Build();
    }

    public void Dispose()
    {
        _host.Dispose();
        _log.Dispose();
    }

    [Theory]
    [InlineData("login.refused", 10, 11)]
    [InlineData("call.failed", 200, 220)]
    [InlineData("audit.log_in", 1000, 2000)]
    [Requirement("EXP-18")]
    public void Records_AreLimitedByTheKindOfTheirEvent(string name, int atOnce, int aSecondLater)
    {
        Send(name);
        Assert.Equal(atOnce, _log.Records.Count);

        _time.Advance(TimeSpan.FromSeconds(1));
        Send(name);
        Assert.Equal(aSecondLater, _log.Records.Count);
    }

    private void Send(string name)
    {
        var logger = _host.Services.GetRequiredService<ILogger<LogRateLimitTests>>();
        for (var sent = 0; sent < 1000; sent++)
            logger.Log(LogLevel.Information, new EventId(1, name), "state", null, (state, _) => state);
    }
}
