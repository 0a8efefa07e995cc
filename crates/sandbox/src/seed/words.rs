//! Names, words and places that seeded records are made of. All fictitious; e-mail domains and telephone numbers are the ones
//! reserved for examples (RFC 2606; 555-0100 to 555-0199).

pub(super) const FIRST_NAMES: [&str; 72] = [
    "Amara", "Andre", "Beatriz", "Ben", "Camille", "Carlos", "Chloe", "Colin", "Daniela", "Darius", "Dina", "Edith",
    "Elias", "Emiko", "Farah", "Felix", "Fiona", "Gavin", "Grace", "Gustavo", "Hana", "Harold", "Imani", "Ingrid",
    "Isaac", "Jada", "Jerome", "Jocelyn", "Jonas", "Kavya", "Keith", "Kira", "Lamar", "Leila", "Lorenzo", "Lucia",
    "Maeve", "Malik", "Marcus", "Mei", "Miguel", "Mona", "Nadia", "Naomi", "Nikhil", "Nora", "Omar", "Opal", "Owen",
    "Paula", "Pedro", "Priya", "Quentin", "Rachel", "Ravi", "Renata", "Rosa", "Ruben", "Sadie", "Samir", "Selma",
    "Simon", "Sofia", "Tamsin", "Terrence", "Uma", "Victor", "Wanda", "Wesley", "Yara", "Yusuf", "Zoe",
];

pub(super) const LAST_NAMES: [&str; 88] = [
    "Abbott",
    "Achebe",
    "Alvarez",
    "Andersen",
    "Baptiste",
    "Barlow",
    "Bennett",
    "Bianchi",
    "Brandt",
    "Calloway",
    "Carver",
    "Castillo",
    "Chandra",
    "Chen",
    "Coleman",
    "Cortez",
    "Dalton",
    "Delgado",
    "Diaz",
    "Doyle",
    "Draper",
    "Eastman",
    "Ellery",
    "Espinoza",
    "Fairchild",
    "Farrow",
    "Ferreira",
    "Fischer",
    "Fleming",
    "Fontaine",
    "Gallagher",
    "Garza",
    "Gibbs",
    "Goswami",
    "Grady",
    "Haddad",
    "Halloran",
    "Hansen",
    "Hartley",
    "Hayashi",
    "Holloway",
    "Ibarra",
    "Iverson",
    "Jansen",
    "Jarvis",
    "Kapoor",
    "Keller",
    "Kim",
    "Kowalski",
    "Lambert",
    "Larkin",
    "Lindqvist",
    "Lopez",
    "Lund",
    "Macleod",
    "Marchetti",
    "Mbeki",
    "Mercer",
    "Moreno",
    "Nakamura",
    "Navarro",
    "Nguyen",
    "Novak",
    "Oakes",
    "Okafor",
    "Orr",
    "Park",
    "Patel",
    "Pemberton",
    "Quinn",
    "Ramos",
    "Reyes",
    "Rhodes",
    "Rossi",
    "Sandoval",
    "Schmidt",
    "Shah",
    "Sinclair",
    "Sorensen",
    "Tanaka",
    "Thorne",
    "Underwood",
    "Vance",
    "Vega",
    "Walsh",
    "Whitaker",
    "Yamada",
    "Zielinski",
];

pub(super) const MAIL_DOMAINS: [&str; 3] = ["example.com", "example.net", "example.org"];

/// First and second word of a password.
pub(super) const ADJECTIVES: [&str; 32] = [
    "amber", "autumn", "birch", "brisk", "cedar", "clever", "cobalt", "copper", "coral", "dapper", "gentle", "golden",
    "hazel", "indigo", "ivory", "jolly", "lunar", "maple", "mellow", "misty", "noble", "olive", "plum", "quiet",
    "rapid", "rustic", "sandy", "silver", "sunny", "velvet", "willow", "winter",
];
pub(super) const ANIMALS: [&str; 32] = [
    "badger", "beaver", "bison", "condor", "crane", "dolphin", "egret", "falcon", "ferret", "finch", "gecko", "heron",
    "ibis", "jackal", "kestrel", "lemur", "lynx", "magpie", "marmot", "marten", "newt", "ocelot", "osprey", "otter",
    "panda", "puffin", "raven", "robin", "stoat", "tapir", "walrus", "wombat",
];

/// Company name and subdomain.
pub(super) const COMPANIES: [(&str, &str); 9] = [
    ("Harbor & Pine Realty", "harborpine"),
    ("Prairie Gate Homes", "prairiegate"),
    ("Lantern Row Properties", "lanternrow"),
    ("Blue Heron Real Estate", "blueheron"),
    ("Stone Arch Realty Group", "stonearch"),
    ("Juniper Lane Homes", "juniperlane"),
    ("Copper Door Realty", "copperdoor"),
    ("North Fork Property Co.", "northfork"),
    ("Summer Hill Brokers", "summerhill"),
];

/// City, state, postal code, telephone area code, IANA time zone.
pub(super) const PLACES: [(&str, &str, &str, &str, &str); 12] = [
    ("Seattle", "WA", "98103", "206", "US/Pacific"),
    ("Tacoma", "WA", "98407", "253", "US/Pacific"),
    ("Portland", "OR", "97214", "503", "US/Pacific"),
    ("Boise", "ID", "83702", "208", "US/Mountain"),
    ("Denver", "CO", "80210", "303", "US/Mountain"),
    ("Fort Collins", "CO", "80524", "970", "US/Mountain"),
    ("Austin", "TX", "78704", "512", "US/Central"),
    ("Madison", "WI", "53703", "608", "US/Central"),
    ("Omaha", "NE", "68104", "402", "US/Central"),
    ("Raleigh", "NC", "27605", "919", "US/Eastern"),
    ("Richmond", "VA", "23220", "804", "US/Eastern"),
    ("Portland", "ME", "04102", "207", "US/Eastern"),
];

pub(super) const STREETS: [&str; 16] = [
    "Alder St",
    "Bayview Dr",
    "Cedar Ave",
    "Chestnut St",
    "Cherry Ln",
    "Elm St",
    "Fern Ct",
    "Garden Way",
    "Hillcrest Rd",
    "Juniper Ln",
    "Laurel Ave",
    "Meadow Ln",
    "Orchard Rd",
    "Park Pl",
    "Sycamore Dr",
    "Willow Way",
];

/// Stages of a lead, in the order of its life; the id is the position, from 1.
pub const STAGES: [&str; 9] = [
    "Lead",
    "Attempted Contact",
    "Hot Prospect",
    "Nurture",
    "Active Client",
    "Pending",
    "Closed",
    "Past Client",
    "Trash",
];

/// Where leads come from. [`super::ARCHIVED_SOURCE`] is not among those that seeded people have.
pub const SOURCES: [&str; 8] = [
    "Company Website",
    "Open House",
    "Referral",
    "Sphere",
    "Home Value Page",
    "Yard Sign",
    "Relocation Desk",
    "Import",
];

pub(super) const TAGS: [&str; 14] = [
    "Buyer",
    "Seller",
    "First-Time Buyer",
    "Investor",
    "Relocation",
    "Luxury",
    "Condo",
    "Pre-Approved",
    "Newsletter",
    "Open House 10/18",
    "Past Client Referral",
    "Needs Lender",
    "Waterfront",
    "Downsizing",
];

pub(super) const NOTES: [(&str, &str); 8] = [
    ("First call", "Spoke for ten minutes. Wants three bedrooms and a garden, no hurry before spring."),
    ("Left a voicemail", "No answer; left a message with the office number."),
    ("Showing", "Liked the kitchen, thought the street was loud. Will send two quieter ones."),
    ("Financing", "Pre-approval is on its way; expects the letter by the end of the week."),
    ("Price", "Ready to go up a little for a garage."),
    ("Schools", "Asked about schools within walking distance. Sent the district's map."),
    ("Offer", "Wants to write an offer tonight. Prepared the comparables."),
    ("Check in", "Still looking, travelling until the middle of the month."),
];

pub(super) const EVENT_MESSAGES: [&str; 4] = [
    "I would like to see this home on Saturday.",
    "Is this still available?",
    "Please send me what is similar nearby.",
    "What would my house sell for?",
];
