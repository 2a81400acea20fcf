using WebRtcIms.Tests.Common;

namespace WebRtcIms.ServiceDefaults.Tests;

/// <summary>The one form in which all parts compare origins.</summary>
public sealed class WebOriginTests
{
    [Theory]
    [InlineData("https://phone.example.com", "https://phone.example.com")]
    [InlineData("https://phone.example.com:443", "https://phone.example.com")]
    [InlineData("http://phone.example.com:80/", "http://phone.example.com")]
    [InlineData("http://phone.example.com:443", "http://phone.example.com:443")]
    [InlineData("HTTPS://Phone.Example.COM.:8443", "https://phone.example.com:8443")]
    [InlineData("https://bücher.example", "https://xn--bcher-kva.example")]
    [InlineData("https://XN--BCHER-KVA.example", "https://xn--bcher-kva.example")]
    [InlineData("https://xn--99999999.example", "https://xn--99999999.example")]
    [InlineData("https://[2001:DB8:0:0::1]:443", "https://[2001:db8::1]")]
    [InlineData("http://[fe80::1%25eth0]:8080", "http://[fe80::1]:8080")]
    [InlineData("https://192.0.2.1", "https://192.0.2.1")]
    [InlineData("https://phone", "https://phone")]
    [Requirement("NET-07")]
    [Requirement("NET-09")]
    public void Origin_HasOneForm(string text, string expected) => Assert.Equal(expected, WebOrigin.Parse(text)?.ToString());

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("phone.example.com")]
    [InlineData("https://")]
    [InlineData("https://.")]
    [InlineData("https://a..b")]
    [InlineData("https://a:b")]
    [InlineData("https://a:99999")]
    [InlineData("https://a/path")]
    [InlineData("https://a?b")]
    [InlineData("https://a#b")]
    [InlineData("https://user@a")]
    [InlineData("https://a,https://b")]
    [InlineData("wss://a")]
    [InlineData("file://a")]
    [InlineData("android:apk-key-hash:AAAA")]
    [Requirement("NET-09")]
    public void OtherText_IsNotAnOrigin(string? text) => Assert.Null(WebOrigin.Parse(text));
}
