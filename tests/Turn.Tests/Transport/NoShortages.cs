using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using WebRtcIms.Turn.Settings;
using WebRtcIms.Turn.Telemetry;
using WebRtcIms.Turn.Transport.Relays;

namespace WebRtcIms.Turn.Tests.Transport;

/// <summary>A report of shortages without a reader.</summary>
internal static class NoShortages
{
    public static RelayShortages Of(TurnSettings settings) => new(
        settings, new TurnMetrics(new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>()),
        TimeProvider.System, NullLogger<RelayShortages>.Instance);
}
