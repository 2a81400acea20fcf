using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Interop.Tests.Fleet;

/// <summary>A token as the WAF issued it.</summary>
internal sealed record Token(string AccessToken, string Kid, string Key)
{
    public TurnCredential Credential =>
        TurnCredential.AccessToken(Kid, Convert.FromBase64String(AccessToken), Convert.FromBase64String(Key));
}

/// <summary>
/// The WAF from its own output folder, in an empty folder with its store. It has a port for operators, and one for https if the settings
/// have a certificate.
/// </summary>
internal sealed class WafProcess : ServerProcess
{
    public const string Client = "wwsf";
    public const string Secret = "0123456789abcdef0123456789abcdef";

    private readonly DirectoryInfo _folder;
    private readonly HttpClient _http = new();

    private WafProcess(ProcessStartInfo start, DirectoryInfo folder)
        : base(start) => _folder = folder;

    public string Address { get; private init; } = "";

    /// <summary>For clients that trust the certificate of the settings.</summary>
    public string SecureAddress { get; private init; } = "";

    public string AdminAddress { get; private init; } = "";

    /// <summary>Starts it, and waits until it is healthy.</summary>
    /// <param name="settings">Environment variables, such as <c>Waf__Issuer</c>. <c>ASPNETCORE_URLS</c> adds addresses.</param>
    public static async Task<WafProcess> StartAsync(params (string Name, string Value)[] settings)
    {
        var (address, secure, admin) =
            ($"http://127.0.0.1:{FreePorts.Tcp()}", $"https://127.0.0.1:{FreePorts.Tcp()}", $"http://127.0.0.1:{FreePorts.Tcp()}");
        var hasCertificate = settings.Any(setting => setting.Name == "Kestrel__Certificates__Default__Path");
        var others = settings.FirstOrDefault(setting => setting.Name == "ASPNETCORE_URLS").Value ?? (hasCertificate ? secure : "");
        var folder = Directory.CreateTempSubdirectory("waf-");
        var start = Foreground.Of("dotnet", Parts.ProgramOf("Waf"));
        start.WorkingDirectory = folder.FullName;
        start.Environment["AllowedHosts"] = "127.0.0.1;localhost";
        start.Environment["ConnectionStrings__waf"] = "Data Source=waf.db";
        start.Environment["Waf__Admin__Url"] = admin;
        start.Environment["Waf__Issuer"] = address;
        start.Environment["Waf__Clients__0__ClientId"] = Client;
        start.Environment["Waf__Clients__0__ClientSecret"] = Secret;
        foreach (var (name, value) in settings) start.Environment[name] = value;
        start.Environment["ASPNETCORE_URLS"] = $"{address};{others}".TrimEnd(';');
        var waf = new WafProcess(start, folder) { Address = address, SecureAddress = secure, AdminAddress = admin };
        await waf.UntilUpAsync(waf.IsUpAsync);
        return waf;
    }

    public async Task<Token> GetTokenAsync(string turnServer, CancellationToken cancellationToken = default)
    {
        using var response = await PostAsync(
            "token", cancellationToken, ("grant_type", "client_credentials"), ("scope", "stun"), ("aud", turnServer));
        var body = await response.Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}: {body}");
        return new Token(Text("access_token"), Text("kid"), Text("key"));

        string Text(string name) => body.GetProperty(name).GetString()!;
    }

    /// <summary>A token with which the identity can register at an eP-CSCF.</summary>
    public async Task<string> GetRegistrationTokenAsync(string impi)
    {
        using var response = await PostAsync(
            "token", TestContext.Current.CancellationToken, ("grant_type", "client_credentials"), ("scope", "ims.register"),
            ("impu", $"sip:{impi}"), ("impi", impi), ("sid", $"session of {impi}"));
        var body = await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}: {body}");
        return body.GetProperty("access_token").GetString()!;
    }

    public async Task RevokeAsync(Token token)
    {
        using var response = await PostAsync("revoke", TestContext.Current.CancellationToken, ("token", token.AccessToken));
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}");
    }

    /// <summary>Rotates the keys of all TURN servers, and returns the names of the keys that become current.</summary>
    public async Task<string[]> RotateAsync()
    {
        using var response = await _http.PostAsJsonAsync(
            new Uri($"{AdminAddress}/admin/keys/rotations"), new { }, TestContext.Current.CancellationToken);
        var body = await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}: {body}");
        return [.. body.EnumerateArray().Select(rotated => rotated.GetProperty("kid").GetString()!)];
    }

    /// <summary>The names and states of all living keys.</summary>
    public async Task<Dictionary<string, string>> GetKeysAsync()
    {
        var rings = await _http.GetFromJsonAsync<JsonElement>(
            new Uri($"{AdminAddress}/admin/keys"), TestContext.Current.CancellationToken);
        return rings.EnumerateArray().SelectMany(ring => ring.GetProperty("keys").EnumerateArray())
            .ToDictionary(key => key.GetProperty("kid").GetString()!, key => key.GetProperty("state").GetString()!);
    }

    public override async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await base.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private async Task<HttpResponseMessage> PostAsync(
        string endpoint, CancellationToken cancellationToken, params (string Name, string Value)[] form)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{Address}/oauth2/{endpoint}");
        request.Headers.Authorization = new AuthenticationHeaderValue(
            "Basic", Convert.ToBase64String(Encoding.ASCII.GetBytes($"{Client}:{Secret}")));
        request.Content = new FormUrlEncodedContent(form.Select(field => KeyValuePair.Create(field.Name, field.Value)));
        return await _http.SendAsync(request, cancellationToken);
    }

    private async Task<bool> IsUpAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var response = await _http.GetAsync(new Uri($"{Address}/health"), cancellationToken);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
