using System.Globalization;
using WebRtcIms.EndToEnd.Tests.Browser;

namespace WebRtcIms.AppHost.Tests.Fleet;

/// <summary>
/// A call between two guests in Chromium, with sound in both directions through one TURN server. Each page looks every 10 ms at what has
/// arrived.
/// </summary>
internal sealed class RelayedCall : IAsyncDisposable
{
    /// <summary>The longest time from one arriving packet to the next, and the TURN server of the connection.</summary>
    private const string Watch =
        """
        const connections = [];
        window.RTCPeerConnection = class extends RTCPeerConnection { constructor(...all) { super(...all); connections.push(this); } };
        const now = () => performance.timeOrigin + performance.now();
        let [packets, arrived] = [0, 0];
        window.arrivals = [];
        setInterval(async () => {
          for (const connection of connections.filter(each => each.connectionState !== 'closed')) {
            const report = await connection.getStats();
            for (const { type, packetsReceived } of report.values()) {
              if (type !== 'inbound-rtp' || packetsReceived <= packets) continue;
              [packets, arrived] = [packetsReceived, now()];
              window.arrivals.push(arrived);
            }
          }
        }, 10);
        window.relay = async () => {
          for (const connection of connections) {
            const report = await connection.getStats();
            for (const transport of report.values()) {
              if (transport.type !== 'transport' || !transport.selectedCandidatePairId) continue;
              const local = report.get(report.get(transport.selectedCandidatePairId).localCandidateId);
              if (local.candidateType === 'relay') return local.url;
            }
          }
          return '';
        };
        """;

    private readonly WicPage[] _pages;

    private RelayedCall(params WicPage[] pages) => _pages = pages;

    public static async Task<RelayedCall> StartAsync(Chromium chromium, Uri gateway)
    {
        var call = new RelayedCall(
            await chromium.OpenAsync(gateway, script: Watch), await chromium.OpenAsync(gateway, script: Watch));
        try
        {
            await call.ConnectAsync();
            return call;
        }
        catch
        {
            await call.DisposeAsync();
            throw;
        }
    }

    /// <summary>The port of the TURN server through which both ends send.</summary>
    public async Task<int> RelayPortAsync()
    {
        var ports = await Task.WhenAll(_pages.Select(RelayPortAsync));
        return Assert.Single(ports.Distinct());
    }

    /// <summary>Waits until sound arrives at both ends that was sent after this time, in milliseconds since 1970.</summary>
    /// <returns>How long after it the later end heard something.</returns>
    public async Task<TimeSpan> UntilHeardAgainAsync(double lost)
    {
        var heard = await Task.WhenAll(_pages.Select(page => UntilHeardAgainAsync(page, lost)));
        return TimeSpan.FromMilliseconds(heard.Max() - lost);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var page in _pages) await page.DisposeAsync();
    }

    private async Task ConnectAsync()
    {
        var (caller, callee) = (_pages[0], _pages[1]);
        foreach (var page in _pages) await page.ContinueAsGuestAsync();
        await caller.WaitUntilOnlineAsync();
        await caller.DialAsync(await callee.WaitUntilOnlineAsync());
        await callee.AcceptAsync(await caller.TextAsync("own-name"));
        foreach (var page in _pages) await page.ExpectInCallAsync();
        foreach (var page in _pages) await page.ExpectRisingMediaAsync();
    }

    private static async Task<int> RelayPortAsync(WicPage page)
    {
        // turn:127.0.0.1:3478?transport=udp
        var url = await page.Page.EvaluateAsync<string>("() => window.relay()");
        Assert.NotEqual("", url);
        return int.Parse(url.Split(':', '?')[2], CultureInfo.InvariantCulture);
    }

    // What was under way when the path was lost still arrives. So the first packet counts that follows a silence.
    private static async Task<double> UntilHeardAgainAsync(WicPage page, double lost)
    {
        var heard = await page.Page.WaitForFunctionAsync(
            "lost => window.arrivals.find((at, i) => at > lost && at - (window.arrivals[i - 1] ?? 0) > 1_000)", lost,
            new() { Timeout = 60_000 });
        return await heard.JsonValueAsync<double>();
    }
}
