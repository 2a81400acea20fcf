using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using WebRtcIms.EndToEnd.Tests.Browser;
using WebRtcIms.EndToEnd.Tests.Setup;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>
/// Measures what a person waits for, ten times each, and prints the medians. It runs only on demand (docs/page.md), because another process
/// at the same time makes the figures worse.
/// </summary>
[Collection(RunningSystem.Collection)]
public sealed class FigureTests(RunningSystem system, ITestOutputHelper output)
{
    private const int Times = 10;

    /// <summary>Writes down when the phase of the call changes and when the first packet comes, in milliseconds since 1970.</summary>
    private const string Watch =
        """
        const connections = [];
        window.RTCPeerConnection = class extends RTCPeerConnection { constructor(...all) { super(...all); connections.push(this); } };
        window.seen = {};
        const write = name => { window.seen[name] ??= performance.timeOrigin + performance.now(); };
        addEventListener('click', () => write('click'), { capture: true });
        addEventListener('DOMContentLoaded', () => {
          const stage = document.getElementById('stage');
          new MutationObserver(() => write(stage.dataset.phase)).observe(stage, { attributeFilter: ['data-phase'] });
        });
        window.watch = () => {
          window.seen = {};
          connections.length = 0;
          const timer = setInterval(async () => {
            for (const connection of connections) {
              for (const { type, packetsReceived } of (await connection.getStats()).values()) {
                if (type === 'inbound-rtp' && packetsReceived > 0) write('media');
              }
            }
            if (window.seen.media) clearInterval(timer);
          }, 10);
        };
        """;

    [Fact(Explicit = true)]
    public async Task ClickToMedia_Echo()
    {
        await using var wic = await system.Chromium.OpenAsync(system.PageAddress, script: Watch);
        await wic.ContinueAsGuestAsync();
        await wic.WaitUntilOnlineAsync();
        List<double> times = [];
        for (var i = 0; i <= Times; i++)
        {
            await wic.Page.EvaluateAsync("() => window.watch()");
            await wic.CallAsync();
            await wic.ExpectInCallAsync();
            // The first call starts processes of the browser.
            if (i > 0) times.Add(await AtAsync(wic, "media") - await AtAsync(wic, "click"));
            await wic.HangUpAsync();
        }

        Print("click to media, echo", times);
    }

    [Fact(Explicit = true)]
    public async Task AcceptToMedia()
    {
        await using var guest = await OpenAsync(alice: false);
        await using var alice = await OpenAsync(alice: true);
        List<double> times = [];
        for (var i = 0; i <= Times; i++)
        {
            foreach (var wic in new[] { guest, alice }) await wic.Page.EvaluateAsync("() => window.watch()");
            await CallAsync(guest, alice);
            if (i > 0)
                times.Add(Math.Max(await AtAsync(guest, "media"), await AtAsync(alice, "media")) - await AtAsync(alice, "click"));
            await guest.HangUpAsync();
            await alice.ExpectIdleAsync();
        }

        Print("accept to media on both sides", times);
    }

    [Fact(Explicit = true)]
    public async Task LossOfTurn_ToNotice_AndItsReturn_ToMedia()
    {
        await using var guest = await OpenAsync(alice: false);
        await using var alice = await OpenAsync(alice: true);
        List<double> notice = [];
        List<double> back = [];
        for (var i = 0; i < Times; i++)
        {
            await CallAsync(guest, alice);
            foreach (var wic in new[] { guest, alice }) await wic.Page.EvaluateAsync("() => window.watch()");
            var lost = Kill("turn");
            foreach (var wic in new[] { guest, alice }) notice.Add(await AtAsync(wic, "interrupted") - lost);
            await system.App.ResourceNotifications.WaitForResourceAsync(
                "turn", KnownResourceStates.TerminalStates, TestContext.Current.CancellationToken);
            await system.App.ResourceCommands.ExecuteCommandAsync(
                "turn", KnownResourceCommands.StartCommand, TestContext.Current.CancellationToken);
            var listens = await ListensAsync();
            foreach (var wic in new[] { guest, alice }) back.Add(await AtAsync(wic, "inCall") - listens);
            await guest.HangUpAsync();
            await alice.ExpectIdleAsync();
        }

        Print("loss of TURN to notice", notice);
        Print("TURN listens to media", back);
    }

    private async Task<WicPage> OpenAsync(bool alice)
    {
        var wic = await system.Chromium.OpenAsync(system.PageAddress, script: Watch);
        if (alice) await wic.LogInAsync(DemoUser.Name, DemoUser.Password);
        else await wic.ContinueAsGuestAsync();
        await wic.WaitUntilOnlineAsync();
        return wic;
    }

    private static async Task CallAsync(WicPage guest, WicPage alice)
    {
        await guest.DialAsync("alice");
        await alice.Get("accept").WaitForAsync();
        await alice.Page.EvaluateAsync("() => { window.seen = {}; }");
        await alice.Get("accept").ClickAsync();
        foreach (var wic in new[] { guest, alice }) await wic.ExpectInCallAsync();
    }

    /// <summary>When the page saw it, in milliseconds since 1970.</summary>
    private static async Task<double> AtAsync(WicPage wic, string name)
    {
        var seen = await wic.Page.WaitForFunctionAsync("name => window.seen[name]", name, new() { Timeout = 60_000 });
        return await seen.JsonValueAsync<double>();
    }

    /// <summary>Ends the process of a resource without a warning and returns the time.</summary>
    private double Kill(string resource)
    {
        Assert.True(system.App.ResourceNotifications.TryGetCurrentState(resource, out var now));
        var id = now!.Snapshot.Properties.Single(property => property.Name == "executable.pid").Value;
        using var process = Process.GetProcessById(Convert.ToInt32(id, CultureInfo.InvariantCulture));
        process.Kill();
        return Milliseconds;
    }

    /// <summary>Waits for an answer of TURN and returns the time.</summary>
    private async Task<double> ListensAsync()
    {
        var turn = new IPEndPoint(IPAddress.Loopback, system.App.GetEndpoint("turn", "udp").Port);
        byte[] request = [0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, .. RandomNumberGenerator.GetBytes(12)];
        using var client = new UdpClient(AddressFamily.InterNetwork);
        while (true)
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
            patience.CancelAfter(TimeSpan.FromMilliseconds(20));
            try
            {
                await client.SendAsync(request, turn, patience.Token);
                await client.ReceiveAsync(patience.Token);
                return Milliseconds;
            }
            catch (Exception error) when (error is SocketException or OperationCanceledException)
            {
                // Not yet.
                TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
            }
        }
    }

    private static double Milliseconds => (TimeProvider.System.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMilliseconds;

    private void Print(string name, List<double> times)
    {
        times.Sort();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name}: median {times[times.Count / 2]:0} ms, shortest {times[0]:0} ms, longest {times[^1]:0} ms of {times.Count}"));
        Assert.NotEmpty(times);
    }
}
