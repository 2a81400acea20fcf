using System.Security.Cryptography;
using System.Text.Json;
using WebRtcIms.Interop.Tests.Fleet;

namespace WebRtcIms.Interop.Tests.Sip;

/// <summary>A WAF and an eP-CSCF that share a key, so that the tokens of one are those of the other.</summary>
internal sealed class SipServers(WafProcess waf, EpCscfProcess epCscf) : IAsyncDisposable
{
    public EpCscfProcess EpCscf { get; } = epCscf;

    public static async Task<SipServers> StartAsync()
    {
        var key = RandomNumberGenerator.GetBytes(32);
        var waf = await WafProcess.StartAsync(
            ("Waf__TurnServers__0__Name", "turn.example.org"), ("Waf__TurnServers__0__Kid", "k1"),
            ("Waf__TurnServers__0__Key", Convert.ToBase64String(RandomNumberGenerator.GetBytes(32))), ("Waf__Clients__0__Audiences__0", "turn.example.org"),
            ("Waf__Clients__0__Impus__0", $"sip:guest-*@{EpCscfProcess.Domain}"),
            ("Waf__ImsRegistration__Domain", EpCscfProcess.Domain), ("Waf__ImsRegistration__Identity", EpCscfProcess.Waf),
            ("Waf__ImsRegistration__Kid", "r1"), ("Waf__ImsRegistration__Key", Convert.ToBase64String(key)));
        return new(waf, await EpCscfProcess.StartAsync(key));
    }

    /// <summary>The identities and tokens of guests, as JSON.</summary>
    public async Task<string> GetAccountsAsync(int count)
    {
        var accounts = new List<object>();
        for (var i = 1; i <= count; i++)
        {
            var impi = $"guest-{i}@{EpCscfProcess.Domain}";
            accounts.Add(new { impu = $"sip:{impi}", token = await waf.GetRegistrationTokenAsync(impi) });
        }

        return JsonSerializer.Serialize(accounts);
    }

    public async ValueTask DisposeAsync()
    {
        await EpCscf.DisposeAsync();
        await waf.DisposeAsync();
    }
}
