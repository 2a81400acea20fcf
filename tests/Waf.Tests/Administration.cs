using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Waf.Tests;

/// <summary>The WAF on Kestrel, with a public port and one for administration.</summary>
internal sealed class Administration : IDisposable
{
    public const string OperatorToken = "an operator's token of 40 characters ++/";

    private readonly HttpClient _http;

    /// <summary>Starts the application.</summary>
    public Administration(WafApp app, string? token = null)
    {
        App = app;
        Port = FreePorts.Tcp();
        // Requests have to come from the address of the connection.
        app.RemoteAddress = null;
        app.With("Waf:Admin:Url", $"http://127.0.0.1:{Port}").Listen();
        // The other one is the public address.
        app.ClientOptions.BaseAddress = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses
            .Select(address => new Uri(address)).Single(address => address.Port != Port);
        _http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{Port}/admin/") };
        if (token is not null) _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    public WafApp App { get; }

    public int Port { get; }

    public Uri Address => new($"http://127.0.0.1:{Port}/");

    public void Dispose()
    {
        _http.Dispose();
        App.Dispose();
    }

    public Task<AdminAnswer> GetAsync(string path) => SendAsync(HttpMethod.Get, path);

    public Task<AdminAnswer> PostAsync(string path, object body) => SendAsync(HttpMethod.Post, path, JsonContent.Create(body));

    public Task<AdminAnswer> DeleteAsync(string path) => SendAsync(HttpMethod.Delete, path);

    public async Task<AdminAnswer> SendAsync(
        HttpMethod method, string path, HttpContent? content = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative)) { Content = content };
        foreach (var (name, value) in headers) request.Headers.Add(name, value);
        using var response = await _http.SendAsync(request, TestContext.Current.CancellationToken);
        var body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return new AdminAnswer(
            response.StatusCode, body.Length == 0 ? default : JsonElement.Parse(body), response.Headers.CacheControl?.NoStore ?? false);
    }

    /// <summary>The rows of the audit with this action, once there are so many: (actor, subject).</summary>
    public async Task<List<(string Actor, string Subject)>> AuditAsync(string action, int count = 1)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        while (true)
        {
            var rows = (await GetAsync($"audit?action={action}")).Assert(HttpStatusCode.OK).Body.GetProperty("entries").EnumerateArray()
                .Select(row => (row.GetProperty("actor").GetString()!, row.GetProperty("subject").GetString()!)).ToList();
            if (rows.Count >= count) return rows;
            await Task.Delay(10, limit.Token);
        }
    }
}

/// <summary>What the administration answered.</summary>
internal sealed record AdminAnswer(HttpStatusCode Status, JsonElement Body, bool IsNotStored)
{
    public string Detail => Text("detail");

    public string Text(string name) => Body.GetProperty(name).GetString()!;

    public AdminAnswer Assert(HttpStatusCode status)
    {
        Xunit.Assert.True(Status == status, $"{Status}: {Body}");
        Xunit.Assert.True(IsNotStored);
        return this;
    }
}
