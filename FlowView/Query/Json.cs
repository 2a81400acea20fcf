using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using WebRtcIms.FlowView.Store;
using Attribute = WebRtcIms.FlowView.Store.Attribute;

namespace WebRtcIms.FlowView.Query;

/// <summary>How the API writes ids (hexadecimal), times (milliseconds, with fractions of them) and attributes (an object).</summary>
internal static class Json
{
    public static string TraceId(UInt128 id) => id.ToString("x32", CultureInfo.InvariantCulture);

    public static string SpanId(ulong id) => id == 0 ? "" : id.ToString("x16", CultureInfo.InvariantCulture);

    /// <summary>Exact to a microsecond, which is what a double holds of a time since 1970.</summary>
    public static double Milliseconds(ulong nanoseconds) => nanoseconds / 1000 / 1000.0;

    public static void Configure(JsonSerializerOptions options)
    {
        options.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
        options.NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals;
        options.Converters.Add(new AttributesConverter());
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower));
        // Attributes may be nested as deeply as protobuf's parser lets them.
        options.MaxDepth = 256;
    }

    private sealed class AttributesConverter : JsonConverter<Attribute[]>
    {
        public override Attribute[] Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException("Attributes are written only.");

        public override void Write(Utf8JsonWriter writer, Attribute[] value, JsonSerializerOptions options)
        {
            writer.WriteStartObject();
            foreach (var (key, item) in value)
            {
                writer.WritePropertyName(key);
                Write(writer, item);
            }
            writer.WriteEndObject();
        }

        private void Write(Utf8JsonWriter writer, object? value)
        {
            switch (value)
            {
                case null: writer.WriteNullValue(); break;
                case string text: writer.WriteStringValue(text); break;
                case bool truth: writer.WriteBooleanValue(truth); break;
                case long number: writer.WriteNumberValue(number); break;
                case double number when double.IsFinite(number): writer.WriteNumberValue(number); break;
                case Attribute[] pairs: Write(writer, pairs, null!); break;
                case object?[] values:
                    writer.WriteStartArray();
                    foreach (var item in values) Write(writer, item);
                    writer.WriteEndArray();
                    break;
                default: writer.WriteStringValue(AttributeText.Of(value)); break;
            }
        }
    }
}
