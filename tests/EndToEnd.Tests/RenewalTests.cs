using System.Globalization;
using Microsoft.Playwright;
using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>
/// A call that outlives its tokens, in its own system. No other test runs at the same time, because its CPU use would interrupt the
/// sound. The call takes two minutes, or the number in <c>RENEWAL_MINUTES</c>.
/// </summary>
[Collection(RenewalTests.Alone)]
[CollectionDefinition(RenewalTests.Alone, DisableParallelization = true)]
public sealed class RenewalTests(ShortTokenSystem system, ITestOutputHelper output) : IClassFixture<ShortTokenSystem>
{
    public const string Alone = "renewal";

    private static readonly TimeSpan LongestInterruption = TimeSpan.FromMilliseconds(200);

    private static readonly double Minutes =
        double.Parse(Environment.GetEnvironmentVariable("RENEWAL_MINUTES") ?? "2", CultureInfo.InvariantCulture);

    [Fact]
    [Requirement("3GPP-33.203-X.5.3")]
    public async Task CallOutlivesItsTokens_SoundIsNotInterrupted()
    {
        var sound = new MediaWatch();
        system.UdpProxy!.Passing += sound.Record;
        await using var alice = await system.Chromium.OpenAsync(system.PageAddress);
        await alice.LogInAsync(DemoUser.Name, DemoUser.Password);
        await alice.WaitUntilOnlineAsync();
        await using var guest = await system.Chromium.OpenAsync(system.PageAddress);
        await guest.ContinueAsGuestAsync();
        await guest.WaitUntilOnlineAsync();
        foreach (var wic in new[] { alice, guest }) await wic.ChooseTransportAsync("udp");

        await guest.DialAsync("alice");
        await alice.AcceptAsync(await guest.TextAsync("own-name"));
        await guest.ExpectInCallAsync();
        await alice.ExpectInCallAsync();
        await Assertions.Expect(guest.Get("call-timer")).ToContainTextAsync(
            new System.Text.RegularExpressions.Regex($"^({(int)Minutes}|{(int)Minutes + 1}):"),
            new() { Timeout = (float)(Minutes + 1) * 60_000 });

        foreach (var wic in new[] { alice, guest })
        {
            await wic.ExpectInCallAsync();
            Assert.Equal("", await wic.TextAsync("alert"));
            await wic.ExpectTextAsync("online-state", "Online");
        }
        var renewals = await guest.NumberAsync("renewals");
        var directions = sound.Directions(seconds: Minutes * 60 - 5);
        foreach (var direction in directions)
            output.WriteLine(
                $"{direction.Packets} packets, {renewals} renewals; longest interruptions: {string.Join("; ", direction.Longest.Take(5))}");

        // A token of 60 s is renewed after 47 to 48 s.
        Assert.True(renewals >= (int)(Minutes * 60 / 50), $"{renewals} renewals in {Minutes} minutes");
        Assert.Equal(2, directions.Count);
        foreach (var direction in directions)
        {
            Assert.True(direction.Packets > Minutes * 60 * 50 * 0.95, $"{direction.Packets} packets in {Minutes} minutes");
            Assert.True(direction.Longest[0].Lasted <= LongestInterruption, $"interrupted for {direction.Longest[0]}");
        }

        await guest.HangUpAsync();
        await alice.ExpectIdleAsync();
    }
}
