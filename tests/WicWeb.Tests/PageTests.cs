using System.Net;
using System.Text.RegularExpressions;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>The page as the gateway serves it: headers, caching, and markup that its own policy admits.</summary>
public sealed partial class PageTests : IDisposable
{
    private readonly GatewayFactory _gateway = new("http://127.0.0.1:9");
    private readonly HttpClient _client;

    public PageTests()
    {
        _ = _gateway.Address;
        _client = _gateway.CreateClient();
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _gateway.Dispose();

    [Fact]
    public async Task Policy_AdmitsFilesOfThisOriginOnly()
    {
        using var response = await _client.GetAsync("/", Cancel);

        var policy = Header(response, "Content-Security-Policy");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("data:", policy, StringComparison.Ordinal);
        foreach (
            var directive in (string[])["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
            "frame-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"])
            Assert.Contains(directive, policy.Split(';', StringSplitOptions.TrimEntries));
    }

    [Fact]
    public async Task EveryAnswer_HasTheSecurityHeaders()
    {
        foreach (var path in (string[])["/", "/icon.svg", "/nothing-here", "/health", "/api/session"])
        {
            using var response = await _client.GetAsync(path, Cancel);

            Assert.Equal("nosniff", Header(response, "X-Content-Type-Options"));
            Assert.Equal("DENY", Header(response, "X-Frame-Options"));
            Assert.Equal("no-referrer", Header(response, "Referrer-Policy"));
            Assert.Equal("same-origin", Header(response, "Cross-Origin-Opener-Policy"));
            Assert.StartsWith("microphone=(self), camera=(self)", Header(response, "Permissions-Policy"), StringComparison.Ordinal);
            Assert.Contains("frame-ancestors 'none'", Header(response, "Content-Security-Policy"), StringComparison.Ordinal);
            Assert.False(response.Headers.Contains("Server"), path);
        }
    }

    [Fact]
    [Requirement("ABUSE-92")]
    public async Task DemoLine_MayBeFramedByThisOriginOnly_AndNothingElseByAnybody()
    {
        using var demo = await _client.GetAsync("/demo.html", Cancel);
        Assert.Equal(HttpStatusCode.OK, demo.StatusCode);
        Assert.Equal("SAMEORIGIN", Header(demo, "X-Frame-Options"));
        using var page = await _client.GetAsync("/", Cancel);
        Assert.Equal(
            Header(page, "Content-Security-Policy").Replace("frame-ancestors 'none'", "frame-ancestors 'self'", StringComparison.Ordinal),
            Header(demo, "Content-Security-Policy"));

        foreach (var path in (string[])["/index.html", "/DEMO.html", "/demo.html/", "/api/demo.html", "/flow/demo.html"])
        {
            using var other = await _client.GetAsync(path, Cancel);
            Assert.Contains("frame-ancestors 'none'", Header(other, "Content-Security-Policy"), StringComparison.Ordinal);
            Assert.Equal("DENY", Header(other, "X-Frame-Options"));
        }
    }

    [Theory]
    [InlineData("/", "data-testid=\"call\"")]
    [InlineData("/demo.html", "data-testid=\"demo-status\"")]
    public async Task Markup_HasNothingInline(string page, string content)
    {
        var html = await _client.GetStringAsync(page, Cancel);

        Assert.DoesNotMatch(InlineScript(), html);
        Assert.DoesNotMatch(InlineStyle(), html);
        Assert.Contains(content, html, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/demo.html")]
    public async Task HashedAssets_AreKeptForEver_AndThePageIsAskedForAgain(string page)
    {
        using var index = await _client.GetAsync(page, Cancel);
        var assets = AssetReference().Matches(await index.Content.ReadAsStringAsync(Cancel)).Select(match => match.Groups[1].Value)
            .ToList();

        Assert.Equal("no-cache", index.Headers.CacheControl?.ToString());
        // Its own script, the script that the two pages share, and the styles.
        Assert.Equal(3, assets.Count);
        foreach (var path in assets)
        {
            using var asset = await _client.GetAsync(path, Cancel);
            Assert.Equal(HttpStatusCode.OK, asset.StatusCode);
            Assert.Equal("public, max-age=31536000, immutable", Header(asset, "Cache-Control"));
        }

        using var again = new HttpRequestMessage(HttpMethod.Get, page);
        again.Headers.IfNoneMatch.Add(index.Headers.ETag!);
        using var notModified = await _client.SendAsync(again, Cancel);
        Assert.Equal(HttpStatusCode.NotModified, notModified.StatusCode);
    }

    [Theory]
    [InlineData("/appsettings.json")]
    [InlineData("/client/package.json")]
    [InlineData("/../appsettings.json")]
    [InlineData("/assets/..%2f..%2fappsettings.json")]
    [InlineData("/assets/%2e%2e/%2e%2e/appsettings.json")]
    [InlineData("/assets/")]
    public async Task FilesOutsideThePage_AreNotServed(string target)
    {
        var answer = await RawHttp.GetAsync(_gateway.Address, target, Cancel);

        Assert.Matches("^HTTP/1.1 (400|404) ", answer);
    }

    [Fact]
    public void PageNotBuilt_StopsTheStartWithASentence()
    {
        var empty = Directory.CreateTempSubdirectory();
        try
        {
            using var gateway = new GatewayFactory("http://127.0.0.1:9", empty.FullName);
            var error = Assert.Throws<InvalidOperationException>(() => gateway.Address);
            Assert.Contains("Build the WicWeb project", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            empty.Delete(recursive: true);
        }
    }

    private static string Header(HttpResponseMessage response, string name) => response.Headers.GetValues(name).Single();

    [GeneratedRegex("""<script(?![^>]*\bsrc=)|\son\w+=""", RegexOptions.IgnoreCase)]
    private static partial Regex InlineScript();

    [GeneratedRegex("""<style|\sstyle=""", RegexOptions.IgnoreCase)]
    private static partial Regex InlineStyle();

    [GeneratedRegex("""(?:src|href)="(/assets/[^"]+)""")]
    private static partial Regex AssetReference();
}
